"""LitServe with the torch model, batching on.

python benchmarks/servers/lit.py DIR PORT [BATCH_TIMEOUT_S]
"""

from __future__ import annotations

import sys
from typing import Any

import litserve
from torch_model import TorchClassifier


class ClassifierApi(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = TorchClassifier(sys.argv[1])

    def decode_request(self, request) -> str:  # an annotation would make it a form
        return request["text"]

    def batch(self, inputs: list[str]) -> list[str]:
        return inputs

    def predict(self, texts: list[str]) -> list[dict[str, Any]]:
        return self.model.answer(texts)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


if __name__ == "__main__":
    timeout = float(sys.argv[3]) if len(sys.argv) > 3 else 0.002
    server = litserve.LitServer(
        ClassifierApi(max_batch_size=64, batch_timeout=timeout), accelerator="cpu", fast_queue=True
    )
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False, log_level="warning"
    )
