"""Explanations and what the state holds over time, over HTTP: for every model that has them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from seqwise.prediction.folder import GRAPH
from seqwise.serving.served import Item, NoOptions, Served, Strict, Verb, cell_of
from seqwise.serving.tasks.inputs import Reader, finite

MOST_STEPS = 256  # gradients of one explanation: 16 are usual


class ExplainOptions(Strict):
    """What is explained, and how."""

    method: Literal["integrated_gradients", "occlusion", "gradient_x_input"] = Field(
        default="integrated_gradients", description="how the answer is shared among the tokens"
    )
    target: str | None = Field(
        default=None, description="the class or tag whose score is explained; null: the answer's"
    )
    position: int | None = Field(
        default=None, ge=0, description="of taggers and language models: the token whose answer is explained, from 0"
    )


class OcclusionOptions(ExplainOptions):
    """What is explained of an exported model, which has no gradients."""

    method: Literal["occlusion"] = Field(default="occlusion", description="what covering a token changes")


class TokenValue(Strict):
    """A token and its share."""

    text: str
    start: int = Field(description="where it begins in the text: a character, of frames a step")
    end: int = Field(description="behind its last one")
    value: float | list[float] = Field(description="what it adds to the output")


class ExplanationAnswer(Strict):
    """What each token adds to the output."""

    method: str
    target: str | None
    output: float = Field(description="that is explained: log-odds of a class or tag, log-probability of a symbol")
    baseline: float | None = Field(description="the output with every token covered")
    delta: float | None = Field(description="what the values explain too much of output less baseline; 0 is all of it")
    steps: int | None = Field(description="gradients computed")
    position: int | None
    text: str
    tokens: list[TokenValue]


class LayerTrace(Strict):
    """A layer in one direction."""

    name: str
    direction: str
    units: list[int] = Field(description="numbers of the units that are shown")
    states: dict[str, list[list[float]]] = Field(description="steps x units, of each state of the cell")
    gates: dict[str, list[list[float]]] = Field(description="steps x units, of each gate by its name in the equations")


class TraceAnswer(Strict):
    """States and gates over time."""

    symbols: list[str] = Field(description="what was read at each step")
    starts: list[int] = Field(description="where it begins in the text")
    steps: int = Field(description="of the whole sequence; the first ones are shown")
    layers: list[LayerTrace]


def explain_verbs(served: Served, reader: Reader) -> dict[str, Verb]:
    """The verbs explain and, where there are recurrent layers, trace.

    Args:
        served: the model.
        reader: of its inputs.
    """

    def read(body: Any, options: Any) -> Item:
        value, length = reader.read(body)
        return Item((value, options), length)

    def explain(item: Item) -> dict[str, Any]:
        from seqwise.explanation import explain

        value, options = item.value
        found = explain(
            served.predictor,
            value,
            method=options.method,
            target=options.target,
            position=options.position,
            most_steps=MOST_STEPS,
        )
        finite(np.append(found.values, found.output))
        return found.to_dict()

    def trace(item: Item) -> dict[str, Any]:
        from seqwise.explanation import trace

        return trace(served.predictor, item.value[0]).to_dict()

    config = served.predictor.config
    exported = GRAPH in config["files"]
    options: type[BaseModel] = OcclusionOptions if exported else ExplainOptions
    verbs = {
        "explain": Verb(
            reader.input, options, ExplanationAnswer, read, explain, batched=False, summary="Why this answer"
        )
    }
    if not exported and cell_of(config["settings"].get("model", {})) is not None:
        verbs["trace"] = Verb(
            reader.input, NoOptions, TraceAnswer, read, trace, batched=False, summary="What the state holds over time"
        )
    return verbs
