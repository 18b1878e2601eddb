"""Weights as 8-bit integers: onnxruntime's dynamic quantisation.

Inputs of a product are turned into 8 bits when they come, by a scale of their own. Products with weights, tables of vectors
and LSTM have such operators; GRU and RNN have none, and stay as they are.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import onnx


def quantised(model: bytes) -> bytes:
    """Return the model with 8-bit weights, as far as there are operators for them."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)  # it advises to run a preprocessing that this graph does not need
    try:
        with tempfile.TemporaryDirectory() as place:
            result = Path(place) / "int8.onnx"
            quantize_dynamic(onnx.load_from_string(model), result, weight_type=QuantType.QInt8, per_channel=False)
            return result.read_bytes()
    finally:
        root.setLevel(before)
