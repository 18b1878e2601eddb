"""Classifiers over HTTP: of texts, tokens, several columns, frames, vectors; of one class or several labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, create_model

from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError
from seqwise.metrics.priors import check_label_priors, check_priors
from seqwise.prediction import Decisions, Predictor
from seqwise.prediction.classified import Prediction
from seqwise.serving.problems import Refused
from seqwise.serving.served import Item, Served, Strict, Verb
from seqwise.serving.settings import ServerSettings
from seqwise.serving.tasks.explained import explain_verbs
from seqwise.serving.tasks.inputs import finite, reader_of, together


class ClassifierOptions(Strict):
    """How probabilities become an answer."""

    priors: dict[str, float] | None = Field(default=None, description="share of each class where the answer is used")
    abstain_below: float | None = Field(default=None, gt=0, le=1, description="no label below this probability")


class LabelOptions(Strict):
    """How probabilities become an answer."""

    priors: dict[str, float] | None = Field(default=None, description="share of some labels where the answer is used")


class ClassifierAnswer(Strict):
    """The label, and the probability of every class."""

    label: str | None = Field(description="null where the model abstains")
    probability: float = Field(ge=0, le=1, description="of the label, or the greatest of any class")
    probabilities: dict[str, float] = Field(description="calibrated, and corrected where priors are given")


class LabelsAnswer(Strict):
    """The labels, and the probability of each one."""

    labels: list[str] = Field(description="those whose probability reaches their threshold")
    probability: float = Field(ge=0, le=1, description="the greatest of any label")
    probabilities: dict[str, float] = Field(description="calibrated, and corrected where priors are given")


class ServedClassifier(Served):
    """A classifier."""

    task = "classify"
    predictor: Predictor

    @classmethod
    def _load(cls, path: Path, settings: ServerSettings) -> Predictor:
        return Predictor.load(path, settings.device, packed=True)

    def _verbs(self) -> dict[str, Verb]:
        predictor = self.predictor
        self._names = [str(name) for name in predictor.classes]
        self._reader = reader_of(predictor, predictor.features, self.settings)
        options = _options(LabelOptions if predictor.multilabel else ClassifierOptions, self._names)
        answer: Any = LabelsAnswer if predictor.multilabel else ClassifierAnswer
        return {
            "predict": Verb(
                self._reader.input, options, answer, self._read, self._answer, summary="The class of a sequence"
            ),
            **explain_verbs(self, self._reader),
        }

    def _further(self) -> dict[str, Any]:
        decisions = self.predictor.decisions
        thresholds = decisions.thresholds
        named = None if thresholds is None else dict(zip(self._names, thresholds.tolist(), strict=True))
        return {
            "classes": self._names,
            "several_labels": self.predictor.multilabel,
            "thresholds": named,
            "calibrated": decisions.calibration is not None,
            "priors": dict(zip(self._names, decisions.source.tolist(), strict=True)),
            "rate": self.predictor.rate,
        }

    def observed(self, answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """The class that was given, or that none was."""
        labels = answer["labels"] if "labels" in answer else [] if answer["label"] is None else [answer["label"]]
        yield from (("class", label) for label in labels)
        if not labels:
            yield "abstained", ""

    def unknown(self, items: Sequence[Item]) -> tuple[int, int]:
        """See `Served`."""
        return self._reader.unknown([item.value[0] for item in items])

    def _read(self, body: Any, options: Any) -> Item:
        value, length = self._reader.read(body)
        decisions = self._decisions(options)
        return Item((value, decisions), length, value.rate if isinstance(value, Frames) else None)

    def _decisions(self, options: Any) -> Decisions | None:
        """Those that the client asks for; None for those of the folder."""
        below = getattr(options, "abstain_below", None)
        if options.priors is None and below is None:
            return None
        decisions, priors = self.predictor.decisions, None
        try:
            if options.priors is not None and self.predictor.multilabel:
                priors = check_label_priors(options.priors, self._names, decisions.source)
            elif options.priors is not None:
                priors = check_priors(options.priors, self._names)
        except ConfigurationError as error:
            raise Refused(422, str(error), "priors") from None
        return decisions.used(priors=priors, abstain_below=below)

    def _answer(self, items: list[Item]) -> list[dict[str, Any]]:
        # Only the network sees the batch: decisions are those of each row, as its client asked for them.
        own = self.predictor.decisions
        calibrated = finite(self.predictor.calibrated(together([item.value[0] for item in items])))
        if all(item.value[1] is None for item in items):
            probabilities = own.corrected(calibrated)
            return [
                self._written(row, chosen) for row, chosen in zip(probabilities, own.decide(probabilities), strict=True)
            ]
        answers = []
        for item, row in zip(items, calibrated, strict=True):
            decisions = item.value[1] or own
            probabilities = decisions.corrected(row[None])
            answers.append(self._written(probabilities[0], decisions.decide(probabilities)[0]))
        return answers

    def _written(self, row: np.ndarray, chosen: Any) -> dict[str, Any]:
        label: Any = None
        if self.predictor.multilabel:
            label = tuple(self._names[index] for index in np.flatnonzero(chosen))
        elif chosen >= 0:
            label = self._names[chosen]
        return Prediction("", label, dict(zip(self._names, row.tolist(), strict=True))).to_dict()


def _options(kind: type[BaseModel], names: list[str]) -> Any:
    """Those of a classifier of these classes."""
    field = kind.model_fields["priors"]
    described: Any = {"propertyNames": {"enum": names}}
    priors: Any = Field(default=None, description=field.description, json_schema_extra=described)
    return create_model(kind.__name__, __base__=kind, __doc__=kind.__doc__, priors=(dict[str, float] | None, priors))
