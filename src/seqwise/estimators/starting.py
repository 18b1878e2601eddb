"""A fit that begins with a language model: its vocabulary, its embedding, its layers (ULMFiT: Howard and Ruder 2018)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn

from seqwise.errors import ConfigurationError
from seqwise.estimators.choices import Profile, choose
from seqwise.estimators.sections import Sections, with_choices
from seqwise.models import LanguageNetwork, LanguageSettings, ModelSettings, RecurrentPart
from seqwise.models.transformer import TransformerEncoder
from seqwise.prediction.language import LanguagePredictor
from seqwise.text import Ragged, TextPipeline, TextSettings
from seqwise.training import Callback
from seqwise.training.run import Run

OF_THE_TASK = frozenset({"max_length", "keep"})
"""What a task may decide about its texts although it reads them as the language model does."""
SIZES = frozenset({"embedding_size", "hidden_size", "num_layers"})
"""What has no default where the data decide."""
OF_THE_LANGUAGE_MODEL = (
    *("encoder", "cell", "embedding_size", "hidden_size", "num_layers", "heads", "context"),
    *("tie_weights", "softmax", "cutoffs"),
)
"""What a fit that goes on cannot decide any more."""
SLANTED: dict[str, Any] = {"schedule": "linear", "warmup": 0.1}
"""The slanted triangular learning rate: a short way up, a long way down."""
AFTER = 3  # epochs in which every layer is learned, where nobody says how many there are


@dataclass(frozen=True)
class StartingPoint:
    """A language model, and what a fit takes from it.

    Attributes:
        folder: of the language model, as a person named it.
        network: its module, on the CPU.
        text: how it reads texts.
        learned: its pipeline as plain values.
    """

    folder: str
    network: LanguageNetwork
    text: TextSettings
    learned: dict[str, Any]

    @classmethod
    def load(cls, folder: str) -> StartingPoint:
        """Read a model folder.

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a language model.
        """
        predictor = LanguagePredictor.load(Path(folder), "cpu")
        pipeline = predictor.pipeline
        return cls(folder, predictor.network, pipeline.settings, pipeline.to_dict())

    @property
    def mark(self) -> str:
        """A short hash of the weights, so that a checkpoint of a fit that began elsewhere is refused."""
        digest = hashlib.sha256()
        for name, tensor in self.network.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.numpy().tobytes())
        return "-" + digest.hexdigest()[:8]

    def pipeline(self, text: TextSettings) -> TextPipeline:
        """The language model's pipeline, which learns no vocabulary any more, with what the task may decide."""
        learned = {**self.learned, "settings": text.model_dump()}
        return _LearnedPipeline.from_dict(learned)

    def decide(self, given: Sections, chosen: Sections) -> Sections:
        """The sections with what the language model decides.

        Args:
            given: as a person set them.
            chosen: with every value decided.

        Raises:
            ConfigurationError: a person asked for something else than what the language model is.
        """
        self._check(given.model)
        text = self.check_text(given.text)
        settings, sizes = self.network.settings, self._sizes()
        taken: dict[str, Any] = {
            "encoder": settings.encoder,
            "cell": settings.cell,
            "embedding_size": settings.embedding_size,
            "hidden_size": sizes[0],
            "num_layers": len(sizes),
            "zoneout": settings.zoneout,
        }
        if settings.encoder == "transformer":
            taken |= {"heads": settings.heads, "context": settings.context}
        for name, value in taken.items():
            asked = getattr(given.model, name)
            if asked != value and (name in SIZES & given.model.model_fields_set or asked != _default(name)):
                raise ConfigurationError(
                    f"model.{name} is {asked}, and the language model in {self.folder} has {value}: leave it out"
                )
        values = {**chosen.model.model_dump(), **taken, "bidirectional": False, "position_embedding": 0}
        try:
            model = ModelSettings.model_validate(values)
        except ValidationError as error:
            raise ConfigurationError(f"model: {error.errors(include_url=False)[0]['msg']}") from None
        epochs = max(chosen.training.epochs, len(sizes) + 2 + AFTER)
        training = with_choices(given.training, {**_values(chosen.training), **SLANTED, "epochs": epochs})
        return Sections(text, model, chosen.imbalance, training)

    def check_text(self, given: TextSettings) -> TextSettings:
        """How the language model reads texts, with what the task may decide.

        Raises:
            ConfigurationError: a person asked for another way of reading.
        """
        fields = TextSettings.model_fields
        for name in fields.keys() - OF_THE_TASK:
            asked, value = getattr(given, name), getattr(self.text, name)
            if asked != value and asked != fields[name].default and name in given.model_fields_set:
                raise ConfigurationError(
                    f"text.{name} is {asked!r}, and the language model in {self.folder} reads with {value!r}: leave it out"
                )
        return self.text.model_copy(update={name: getattr(given, name) for name in OF_THE_TASK})

    def go_on(self, given: LanguageSettings) -> LanguageSettings:
        """The settings of a language model that goes on with other texts: regularisation and windows may change.

        Args:
            given: as a person set them; what nobody set is as it was.

        Raises:
            ConfigurationError: a person asked for other layers than there are.
        """
        before = self.network.settings
        for name in given.model_fields_set.intersection(OF_THE_LANGUAGE_MODEL):
            asked, value = getattr(given, name), getattr(before, name)
            if asked != value:
                raise ConfigurationError(
                    f"model.{name} is {asked}, and the language model in {self.folder} has {value}: leave it out"
                )
        changes = {"rate_divisor": given.rate_divisor} | {name: getattr(given, name) for name in given.model_fields_set}
        try:
            return LanguageSettings.model_validate({**before.model_dump(), **changes})
        except ValidationError as error:
            raise ConfigurationError(f"model: {error.errors(include_url=False)[0]['msg']}") from None

    @torch.no_grad()
    def give(self, part: RecurrentPart) -> None:
        """Start embedding and layers of a new recurrent part from those of the language model, in place."""
        network = self.network
        assert isinstance(part.embedding, nn.Embedding)
        part.embedding.weight.copy_(network.embedding.weight)
        layers = part.recurrent.layers
        if network.transformer is not None:
            layers.load_state_dict(network.transformer.state_dict())
            return
        own = dict(layers.named_parameters())
        for number, layer in enumerate(network.layers):
            for name, parameter in layer.named_parameters():
                own[name.replace("_l0", f"_l{number}")].copy_(parameter)

    def _sizes(self) -> list[int]:
        """Of every layer; they are alike.

        Raises:
            ConfigurationError: they are not.
        """
        settings = self.network.settings
        if settings.encoder == "transformer":
            return [settings.hidden_size] * settings.num_layers
        sizes = settings.layer_sizes[1:]
        if len(set(sizes)) > 1:
            raise ConfigurationError(
                f"the layers of the language model in {self.folder} have {' and '.join(map(str, sizes))} units, those of a "
                "classifier all the same number: train it with tie_weights false, or hidden_size as embedding_size"
            )
        return sizes

    def _check(self, model: ModelSettings) -> None:
        wrong = {
            f"architecture is {model.architecture!r}, which has no layers to start": model.architecture
            not in ("recurrent", "wide_deep"),
            "embedding is 'one_hot'": model.embedding == "one_hot",
            "word vectors are given too": model.vectors is not None or model.pretrain_vectors or model.freeze_vectors,
            "position_embedding is set, which a language model has not": bool(model.position_embedding)
            and "position_embedding" in model.model_fields_set,
        }
        for reason, holds in wrong.items():
            if holds:
                raise ConfigurationError(f"start_from takes embedding and layers of a language model: {reason}")


def start_or_choose(sections: Sections, profile: Profile) -> tuple[Sections, StartingPoint | None]:
    """Decide every value: by the language model that `model.start_from` names, as far as it has a say, and by the data.

    Args:
        sections: as a person set them.
        profile: of the training data.

    Raises:
        ModelFolderError: there is no sound language model.
        ConfigurationError: it does not go with what a person set.
    """
    chosen = choose(profile, sections)
    if sections.model.start_from is None:
        return chosen, None
    beginning = StartingPoint.load(sections.model.start_from)
    return beginning.decide(sections, chosen), beginning


def layer_groups(part: RecurrentPart) -> list[list[nn.Parameter]]:
    """The parameters of a recurrent part from the top to the bottom: head, each layer, embedding."""
    below: list[list[nn.Parameter]] = [list(part.embedding.parameters())] if part.embedding is not None else [[]]
    layers = part.recurrent.layers
    if isinstance(layers, TransformerEncoder):
        below[0] += layers.project.parameters()
        groups = [list(block.parameters()) for block in layers.blocks]
        groups[-1] += layers.norm.parameters()
    else:
        named = list(layers.named_parameters())
        numbers = range(layers.num_layers)
        groups = [[parameter for name, parameter in named if name.endswith(f"_l{number}")] for number in numbers]
    known = {id(parameter) for group in [*below, *groups] for parameter in group}
    head = [parameter for parameter in part.parameters() if id(parameter) not in known]
    return [head, *reversed(groups), *below]


def language_groups(network: LanguageNetwork) -> list[list[nn.Parameter]]:
    """The parameters of a language model from the top to the bottom: softmax, each layer, embedding."""
    bottom = list(network.embedding.parameters())
    if network.transformer is None:
        groups = [list(layer.parameters()) for layer in network.layers]
    else:
        bottom += network.transformer.project.parameters()
        groups = [list(block.parameters()) for block in network.transformer.blocks]
        groups[-1] += network.transformer.norm.parameters()
    known = {id(parameter) for group in [bottom, *groups] for parameter in group}
    return [[p for p in network.parameters() if id(p) not in known], *reversed(groups), bottom]


def slower_below(divisor: float) -> Callable[[nn.Module], Sequence[dict[str, Any]]]:
    """Groups for the optimiser, each of which learns `divisor` times slower than the one above it."""

    def groups(module: nn.Module) -> list[dict[str, Any]]:
        from_top = layer_groups(module) if isinstance(module, RecurrentPart) else language_groups(_network_of(module))
        return [{"params": group, "factor": divisor**-depth} for depth, group in enumerate(from_top)]

    return groups


class Unfreezing(Callback):
    """Learns the uppermost group in the first epoch, and one more below it in each further one.

    Args:
        groups: of parameters, from the top.
    """

    def __init__(self, groups: Sequence[Sequence[nn.Parameter]]) -> None:
        self._groups = groups

    def on_start(self, run: Run) -> None:
        """Freeze what is not learned yet, of a resumed fit too."""
        if run.engine.world > 1:
            raise ConfigurationError("gradual unfreezing is for one process: set model.unfreeze to 'all'")
        if run.settings.average != "none":
            raise ConfigurationError(
                "an average of weights needs all of them from the beginning: set model.unfreeze to 'all', or "
                "training.average to 'none'"
            )
        self._set(run.epoch)

    def on_epoch(self, run: Run, record: dict[str, Any]) -> None:
        """Unfreeze the next group."""
        self._set(run.epoch)

    def on_end(self, run: Run) -> None:
        """Leave nothing frozen behind."""
        self._set(len(self._groups))

    def _set(self, epoch: int) -> None:
        for number, group in enumerate(self._groups):
            for parameter in group:
                parameter.requires_grad_(number <= epoch)


def unfreezing(part: RecurrentPart, model: ModelSettings) -> tuple[Callback, ...]:
    """The callbacks that `model.unfreeze` asks for."""
    return (Unfreezing(layer_groups(part)),) if model.unfreeze == "gradual" else ()


class _LearnedPipeline(TextPipeline):
    """A pipeline that has learned its vocabulary elsewhere."""

    def fit(self, texts: Iterable[Any]) -> TextPipeline:
        return self

    def fit_encode(self, texts: Iterable[Any], *, folder: str | Path | None = None) -> Ragged:
        return self.encode(texts, folder=folder)

    def fit_stream(self, texts: Iterable[Any]) -> NDArray[np.int32]:
        return self.encode_stream(texts)


def _network_of(module: nn.Module) -> LanguageNetwork:
    """The language model in what carries its state."""
    return next(part for part in module.modules() if isinstance(part, LanguageNetwork))


def _default(name: str) -> Any:
    return ModelSettings.model_fields[name].default


def _values(training: Any) -> dict[str, Any]:
    return {name: getattr(training, name) for name in type(training).model_fields}
