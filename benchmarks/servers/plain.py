"""The plain way: a FastAPI handler that calls the torch model for every request.

python benchmarks/servers/plain.py DIR PORT
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from torch_model import TorchClassifier

app = FastAPI()
model = TorchClassifier(sys.argv[1])


class Request(BaseModel):
    text: str


class Answer(BaseModel):
    label: str
    probability: float
    probabilities: dict[str, float]


@app.post("/predict")
def predict(request: Request) -> Answer:
    answer: Any = model.answer([request.text])[0]
    return Answer(**answer)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
