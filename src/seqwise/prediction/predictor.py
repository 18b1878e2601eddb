"""Raw input -> answer, from a saved model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from seqwise.errors import ConfigurationError, DataError, InputError, ModelFolderError
from seqwise.prediction.decisions import UNSURE, Decisions
from seqwise.prediction.device import resolve_device
from seqwise.prediction.folder import CONFIG, WEIGHTS, FolderContent, read_folder

if TYPE_CHECKING:
    from torch import nn

CHUNK = 16_384  # texts encoded at a time


class RestoredModel(Protocol):
    """What `seqwise.models` builds from a folder's descriptions: a module, and what makes its batches of texts."""

    @property
    def module(self) -> nn.Module:
        """The module, weights included once `restore` has returned it."""

    def encode(self, texts: Iterable[Any]) -> Any:
        """Return the texts as arrays, sized, with `lengths` and `batch(indices)`."""


class Predictor:
    """A saved classifier that answers.

    Attributes:
        classes: the C classes, in the order of the columns of `predict_proba`.
        config: the whole of config.json.
        settings: its sections data, text, model, imbalance, training.
        labels: the whole of labels.json.
        decisions: what is made of the model's probabilities: calibration, correction of priors, thresholds, abstention, in
            this order. Replace it by `decisions.used(...)` to state priors or to abstain.
        multilabel: whether a text may have several labels; each then has a probability of its own.
    """

    def __init__(self, content: FolderContent, model: RestoredModel) -> None:
        self.classes = content.classes
        self.config = content.config
        self.settings = content.settings
        self.labels = content.labels
        self.decisions = Decisions.from_labels(content.labels)
        self.multilabel = self.decisions.multilabel
        self._model = model

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Read a model folder.

        Args:
            path: of the folder.
            device: "auto", "cpu", "cuda" or "cuda:N".

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a text classifier.
            DeviceError: there is no such device.
        """
        target = resolve_device(device)
        content = read_folder(path)
        if content.config["estimator"] != "SequenceClassifier":
            raise ModelFolderError(f"{content.path} holds a {content.config['estimator']}, not a classifier of texts")
        model = restore(content)
        model.module.to(target)
        return cls(content, model)

    def predict_proba(self, texts: Iterable[Any], batch_size: int = 256) -> np.ndarray:
        """Return the probability of every class or label for every text, (n, C) float64, rows in the order of the texts.

        They are calibrated, and corrected where priors are stated; thresholds are applied by `decide` only.

        Args:
            texts: strings; for a model of tokens also lists of strings.
            batch_size: texts computed together, at the most; texts of near-equal length come into one batch.

        Raises:
            DataError: something is neither.
        """
        return self.decisions.corrected(self.calibrated(texts, batch_size))

    def calibrated(self, texts: Iterable[Any], batch_size: int = 256) -> np.ndarray:
        """Return what `predict_proba` returns, before any correction of priors: what they are estimated from."""
        from seqwise.models import logits_of, probabilities

        if batch_size < 1:
            raise DataError(f"batch_size is a positive number, got {batch_size}")
        parts = [
            self.decisions.calibrated(
                probabilities(
                    logits_of(self._model.module, self._model.encode(chunk), batch_size=batch_size),
                    multilabel=self.multilabel,
                )
            )
            for chunk in self._chunks(texts)
        ]
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes)))

    def predict(self, texts: Iterable[Any], batch_size: int = 256) -> list[Any]:
        """Return the class of every text, see `decide`; None where the model abstains; of labels a tuple of them."""
        return self.names(self.decide(self.predict_proba(texts, batch_size)))

    def names(self, chosen: np.ndarray) -> list[Any]:
        """Return what `decide` has chosen by name: a class or None; of labels a tuple."""
        if self.multilabel:
            return [tuple(self.classes[index] for index in np.flatnonzero(row)) for row in chosen]
        return [None if index == UNSURE else self.classes[index] for index in chosen]

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the index of the chosen class for each row of probabilities, (n, C) -> (n,).

        Without thresholds the most probable. With thresholds t the class with the largest p / t: of two classes with
        t = (1 - s, s) that is the second where its probability exceeds s. `UNSURE` (-1) stands where the model abstains.
        Of labels: whether each reaches its threshold, (n, L) bool.
        """
        return self.decisions.decide(probabilities)

    def _chunks(self, texts: Iterable[Any]) -> Iterator[list[Any]]:
        if isinstance(texts, str | bytes):
            raise DataError("texts are a list of strings, got a single one: put it in a list")
        tokens = self.config["unit"] == "tokens"
        iterator, row = iter(texts), 0
        while chunk := list(islice(iterator, CHUNK)):
            for text in chunk:
                row += 1
                listed = tokens and isinstance(text, Sequence | np.ndarray) and not isinstance(text, bytes)
                if not isinstance(text, str) and not listed:
                    raise DataError(f"text {row} is {type(text).__name__}, expected a string")
            yield chunk


def restore(content: FolderContent) -> RestoredModel:
    """Build the model that the folder describes and give it the folder's weights, on the CPU, in evaluation mode.

    The module is first built without memory: its shapes must be those of the weights before anything is allocated, so
    that a description of absurd size costs nothing.

    Raises:
        ModelFolderError: description and weights do not belong together.
    """
    import torch

    from seqwise.models import load_sequence_model

    weights = {name: torch.from_numpy(array) for name, array in content.weights.items()}
    try:
        Decisions.from_labels(content.labels)
    except ConfigurationError as error:
        reason = f"{content.path} is calibrated in a way that this version does not know: {error}"
        raise ModelFolderError(reason) from None

    for name, value in content.settings.get("model", {}).items():
        # Layers are made one by one: the only size that costs time before the shapes can be compared.
        if name.endswith("layers") and isinstance(value, int) and value > len(weights):
            raise ModelFolderError(f"{content.path / CONFIG} describes more layers ({name}) than there are weights")

    def build() -> RestoredModel:
        return load_sequence_model(content.config, content.vocabulary, content.labels)

    try:
        with torch.random.fork_rng(devices=[]):  # the initial weights, drawn at random, are replaced anyway
            with torch.device("meta"):
                model = build()
            _check_fit(content, model.module.state_dict(), weights)
            if _complete_with(model.module, weights):
                model.module.load_state_dict(weights, strict=True, assign=True)
            else:
                model = build()
                model.module.load_state_dict(weights, strict=True)
    except ModelFolderError:
        raise
    except (InputError, ValueError, TypeError, KeyError, RuntimeError, MemoryError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelFolderError(f"{content.path} does not describe a model: {reason}") from None
    model.module.requires_grad_(False).eval()
    return model


def _check_fit(content: FolderContent, expected: dict[str, Any], weights: dict[str, Any]) -> None:
    where = content.path / WEIGHTS
    for name in sorted(set(expected) | set(weights)):
        if name not in weights:
            raise ModelFolderError(f"{where} lacks {name}, which the model in config.json has")
        if name not in expected:
            raise ModelFolderError(f"{where} has {name[:60]!r}, which the model in config.json does not have")
        if weights[name].shape != expected[name].shape:
            found, wanted = tuple(weights[name].shape), tuple(expected[name].shape)
            raise ModelFolderError(f"{where}: {name} has the shape {found}, the model in config.json has {wanted}")
        if weights[name].dtype != expected[name].dtype:
            raise ModelFolderError(f"{where}: {name} is {weights[name].dtype}, the model needs {expected[name].dtype}")


def _complete_with(module: nn.Module, weights: dict[str, Any]) -> bool:
    """Whether the weights are all tensors that the module has: then nothing else needs to be computed for it."""
    tensors = {name for name, _ in [*module.named_parameters(), *module.named_buffers()]}
    others = [value for part in module.modules() for value in vars(part).values() if getattr(value, "is_meta", False)]
    return tensors <= set(weights) and not others
