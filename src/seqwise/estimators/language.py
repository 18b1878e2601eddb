"""Many to many of the same length: a model of what comes next."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from seqwise.data.streams import Streams, Window
from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators.sections import SectionSet, section_from
from seqwise.estimators.starting import StartingPoint, slower_below
from seqwise.models import LanguageNetwork, LanguageSettings, SavedLanguageModel
from seqwise.prediction import FolderContent, write_folder
from seqwise.prediction.language import LanguagePredictor, ScoredText
from seqwise.prediction.sampling import Sampling
from seqwise.text import TextPipeline, TextSettings
from seqwise.training import Callback, Progress, TrainingSettings, train

TEXT_DEFAULTS: dict[str, Any] = {"lowercase": False, "normalize": "NFC"}
TRAINING_DEFAULTS: dict[str, Any] = {
    "metric": "log_loss",
    "epochs": 15,
    "batch_size": 32,
    "optimizer": "adamw",
    "learning_rate": 4e-3,
    "weight_decay": 0.01,
    "clip_norm": 0.5,
    "schedule": "one_cycle",
    "warmup": 0.1,
    "select": "best",
}
VALIDATION_STREAMS = 16


@dataclass(frozen=True)
class LanguageSections(SectionSet):
    """How texts are read, which layers the model has, how it is trained."""

    text: TextSettings
    model: LanguageSettings
    training: TrainingSettings


class Carried(nn.Module):
    """A language model that goes on where the window before ended: its states are part of every checkpoint.

    Args:
        network: what is fitted.
        streams: B.
    """

    def __init__(self, network: LanguageNetwork, streams: int) -> None:
        super().__init__()
        self.network = network
        self._states = [f"state_{i}" for i in range(len(network.start(1)))]
        for name, state in zip(self._states, network.start(streams), strict=True):
            self.register_buffer(name, state)

    def forward(self, window: Window) -> Tensor:
        """The loss of each stream, (B,): mean -log P of its symbols, and the penalties of the settings."""
        settings, network = self.network.settings, self.network
        states = tuple(getattr(self, name) for name in self._states)
        if window.first:
            states = tuple(torch.zeros_like(state) for state in states)
        losses, reading = network.losses(window.symbols, window.targets, states)
        for name, state in zip(self._states, reading.states, strict=True):
            setattr(self, name, state.detach())
        result = losses.sum(1) / (window.targets > 0).sum(1).clamp(min=1)
        if settings.activation_penalty:
            result = result + settings.activation_penalty * reading.kept.square().mean((1, 2))
        if settings.slowness_penalty and reading.outputs.shape[1] > 1:
            result = result + settings.slowness_penalty * reading.outputs.diff(dim=1).square().mean((1, 2))
        return result


class LanguageModel(BaseEstimator):
    """Learns what comes next, from texts of words, characters or sub-words.

    The texts are read as one sequence, each with <eos> behind it (`text.end_mark`, unless there is one text only), cut into
    `training.batch_size` streams side by side; the state is carried over from window to window.

    Args:
        text: values of the section `text`, see `TextSettings`; case is kept unless `lowercase` is set.
        model: values of the section `model`, see `LanguageSettings`.
        training: values of the section `training`, see `TrainingSettings`; `batch_size` is the number of streams.
        validation: share of the texts (of their end) that is held back to choose the best epoch by.
        verbose: print a line an epoch.

    Attributes:
        settings_: the sections, every value decided.
        history_: one record an epoch.
        predictor_: what answers.
        seconds_: of the fit.
    """

    def __init__(
        self,
        *,
        text: Mapping[str, Any] | TextSettings | None = None,
        model: Mapping[str, Any] | LanguageSettings | None = None,
        training: Mapping[str, Any] | TrainingSettings | None = None,
        validation: float = 0.1,
        verbose: bool = False,
    ) -> None:
        self.text, self.model, self.training = text, model, training
        self.validation, self.verbose = validation, verbose

    def fit(
        self,
        X: Iterable[Any],
        y: None = None,
        *,
        validation_data: Iterable[Any] | None = None,
        folder: str | Path | None = None,
        resume: bool = False,
        callbacks: Sequence[Callback] = (),
    ) -> Self:
        """Fit on texts.

        Args:
            X: texts, in their order.
            y: nothing; there for scikit-learn.
            validation_data: texts to choose the best epoch by; without them the end of X is held back.
            folder: where history.jsonl and checkpoints/ go; None writes nothing.
            resume: go on from the newest checkpoint in `folder`.
            callbacks: further callbacks of the training loop.

        Raises:
            DataError: there is not enough text.
            ConfigurationError: a parameter is out of its range.
        """
        started = time.perf_counter()
        sections = LanguageSections(
            section_from(self.text, TextSettings, TEXT_DEFAULTS, "text"),
            section_from(self.model, LanguageSettings, {}, "model"),
            section_from(self.training, TrainingSettings, TRAINING_DEFAULTS, "training"),
        )
        _check(sections.training)
        texts: Sequence[Any] = _texts(X)
        held: Sequence[Any] | None = None if validation_data is None else _texts(validation_data)
        if held is None and self.validation:
            texts, held = split_end(texts, self.validation)
        sections, pipeline, beginning = _begin(sections, several=len(texts) > 1)
        symbols = pipeline.fit_stream(texts)
        if len(symbols) < 2:
            raise DataError("a language model needs more than one symbol to learn from")
        settings = sections.training
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            network = LanguageNetwork(sections.model, len(pipeline.vocabulary))
        if beginning is None:
            network.start_from_shares(torch.from_numpy(np.bincount(symbols, minlength=len(pipeline.vocabulary))))
        else:
            network.load_state_dict(beginning.network.state_dict())
        self.settings_ = LanguageSections(pipeline.settings, sections.model, settings)
        self.predictor_ = LanguagePredictor(self._content(pipeline), SavedLanguageModel(network, pipeline))
        start = self.predictor_.opening
        streams = Streams(symbols, settings.batch_size, sections.model.bptt, start=start)
        watched = None
        if held is not None:
            watched = Streams(pipeline.encode_stream(held), VALIDATION_STREAMS, 2 * sections.model.bptt, start=start)
        carried = Carried(network, streams.streams)

        def batches(epoch: int) -> _Tensors:
            shift = np.random.default_rng((settings.seed, epoch)).integers(sections.model.bptt) if epoch else 0
            return _Tensors(streams.windows(int(shift)))

        def validate(model: nn.Module) -> dict[str, float]:
            assert watched is not None
            assert isinstance(model, Carried)
            value = _mean_loss(model.network, watched)
            return {"log_loss": value, "perplexity": math.exp(min(value, 700))}

        history = train(
            carried,
            batches,
            lambda model, window: model(window),
            settings=settings,
            validate=None if watched is None else validate,
            parameter_groups=None if beginning is None else slower_below(sections.model.rate_divisor),
            callbacks=[*([Progress(verbose=True)] if self.verbose else []), *callbacks],
            folder=None if folder is None else Path(folder),
            resume=resume,
            fingerprint=hashlib.sha256(symbols.tobytes()).hexdigest()[:16]
            + ("" if beginning is None else beginning.mark),
        )
        network.eval()
        self.fit_history_, self.history_ = history, history.epochs
        self.tokens_ = len(symbols)
        self.seconds_ = time.perf_counter() - started
        return self

    def score_texts(self, X: Sequence[Any]) -> list[ScoredText]:
        """How probable each text is on its own, see `LanguagePredictor.score`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.score(X)

    def score(self, X: Iterable[Any], y: None = None) -> float:
        """Minus the perplexity of the texts, read one after the other: more is better, as scikit-learn wants it."""
        return -self.perplexity(X)

    def perplexity(self, X: Iterable[Any]) -> float:
        """exp of the mean -log P of a symbol of the texts, read one after the other with the state carried over."""
        check_is_fitted(self, "predictor_")
        symbols = self.predictor_.pipeline.encode_stream(_texts(X))
        return math.exp(min(float(self.predictor_.read_stream(symbols).mean()), 700))

    def sample(self, prompt: str = "", **sampling: Any) -> str:
        """A text drawn from the model, without the prompt; for the options see `Sampling`."""
        check_is_fitted(self, "predictor_")
        return "".join(self.predictor_.generate(prompt, Sampling(**sampling)))

    def save(self, path: str | Path, *, data: dict[str, Any] | None = None, **pieces: Any) -> None:
        """Write a model folder that `load`, `LanguagePredictor.load` and the commands read.

        Args:
            path: of the folder; made if need be.
            data: the configuration section `data`.
            pieces: handed to `seqwise.prediction.write_folder`.

        Raises:
            FileError: it could not be written.
        """
        check_is_fitted(self, "predictor_")
        pipeline = self.predictor_.pipeline
        write_folder(
            path,
            config=self._content(pipeline, data).config,
            weights=self.predictor_.network.state_dict(),
            vocabulary=pipeline.to_dict(),
            **pieces,
        )

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Return the estimator that `save` wrote.

        Raises:
            ModelFolderError: the folder is missing, damaged, or not that of a language model.
            DeviceError: there is no such device.
        """
        predictor = LanguagePredictor.load(path, device)
        saved = predictor.settings
        estimator = cls(text=saved["text"], model=saved["model"], training=saved["training"])
        estimator.settings_ = LanguageSections.from_dict(saved)
        estimator.predictor_ = predictor
        return estimator

    def _content(self, pipeline: TextPipeline, data: dict[str, Any] | None = None) -> FolderContent:
        config = {
            "task": "lm",
            "estimator": type(self).__name__,
            "unit": pipeline.settings.unit,
            "settings": {"data": data or {"validation": self.validation}, **self.settings_.to_dict()},
        }
        return FolderContent(Path(), config, {}, {}, {})


class _Tensors:
    """Windows as tensors, made when asked for."""

    def __init__(self, windows: Any) -> None:
        self._windows = windows

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, number: int) -> Window:
        symbols, targets, first = self._windows[number]
        return Window(torch.from_numpy(symbols), torch.from_numpy(targets), first)


def split_end(texts: Sequence[Any], share: float) -> tuple[Sequence[Any], Sequence[Any]]:
    """The texts, and the share at their end that is held back; of a single text its last lines or characters.

    Raises:
        DataError: there is nothing to hold back.
    """
    if len(texts) > 1:
        kept = len(texts) - max(1, round(share * len(texts)))
        return texts[:kept], texts[kept:]
    whole = texts[0]
    cut = len(whole) - max(1, round(share * len(whole)))
    if isinstance(whole, str):
        cut = whole.rfind("\n", cut // 2, cut) + 1 or cut
    if not 0 < cut < len(whole):
        raise DataError("there is not enough text to hold a part back for validation: set data.validation to 0")
    return [whole[:cut]], [whole[cut:]]


def _begin(sections: LanguageSections, *, several: bool) -> tuple[LanguageSections, TextPipeline, StartingPoint | None]:
    """What a fit begins with: its sections, how it reads, and the language model from which it goes on.

    Args:
        sections: as a person set them.
        several: whether there is more than one text: then the model learns where they end.
    """
    if sections.model.start_from is not None:
        beginning = StartingPoint.load(sections.model.start_from)
        text = beginning.check_text(sections.text)
        decided = LanguageSections(text, beginning.go_on(sections.model), sections.training)
        return decided, beginning.pipeline(text), beginning
    if "end_mark" not in sections.text.model_fields_set:
        text = sections.text.model_copy(update={"end_mark": several})
        sections = LanguageSections(text, sections.model, sections.training)
    return sections, TextPipeline(sections.text), None


def _texts(X: Iterable[Any]) -> list[Any]:
    if isinstance(X, str | bytes):
        raise DataError("texts are a list of strings, got a single one: put it in a list")
    texts = list(X)
    if not texts:
        raise DataError("there are no texts")
    return texts


def _check(training: TrainingSettings) -> None:
    if training.metric != "log_loss":
        raise ConfigurationError(f"training.metric of a language model is log_loss, not {training.metric}")
    if training.refit:
        raise ConfigurationError("training.refit is not for language models: set it to false")
    if (
        torch.distributed.is_available()
        and torch.distributed.is_initialized()
        and torch.distributed.get_world_size() > 1
    ):
        raise ConfigurationError("a language model is fitted by one process: its streams are read in order")


@torch.no_grad()
def _mean_loss(network: LanguageNetwork, streams: Streams) -> float:
    """Mean -log P of a symbol, every stream read from its start."""
    device = network.embedding.weight.device
    states, total, count = network.start(streams.streams), 0.0, 0
    for window in streams.windows():
        symbols, targets = (torch.from_numpy(part).to(device) for part in window[:2])
        losses, reading = network.losses(symbols, targets, states)
        states = reading.states
        total, count = total + float(losses.double().sum()), count + int((targets > 0).sum())
    return total / max(count, 1)
