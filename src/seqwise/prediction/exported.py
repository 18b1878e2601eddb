"""An exported model that answers: the network runs in onnxruntime, everything else is NumPy. Neither torch nor numba.

Axis letters: B examples of a batch, n examples, T steps, C outputs or tags.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from seqwise.errors import ConfigurationError, DataError, DeviceError, MissingExtraError, ModelFolderError
from seqwise.prediction.folder import GRAPH, FolderContent
from seqwise.prediction.tag_chain import Chain, best_tags, log_probabilities, log_softmax, marginals

if TYPE_CHECKING:
    from seqwise.models.batch import EncodedExamples
    from seqwise.models.features import Features


QUIET = ("ORT_DISABLE_TELEMETRY", "1")
"""Set before onnxruntime is imported, unless it is set: otherwise it tells its makers that it runs."""
LARGEST_OUTPUT = 2**24
"""Numbers that a language model gives at once."""


class Network:
    """A network in onnxruntime, on the processor.

    Args:
        graph: the bytes of an .onnx file.
        name: of the file, for errors.

    Attributes:
        inputs: what it reads, and its shape, in which sizes that vary have names.
        outputs: names of what it gives.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        ModelFolderError: onnxruntime cannot run the graph; gives its reason.
    """

    def __init__(self, graph: bytes, name: str) -> None:
        os.environ.setdefault(*QUIET)
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtraError("an exported model needs onnxruntime: pip install onnxruntime") from None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only: warnings are about the graph, which nobody can change here
        options.intra_op_num_threads = _threads()
        options.enable_mem_pattern = False  # one plan is kept for every new shape, and lengths come in all sizes
        # Waiting threads sleep: answers come one by one, and the processor belongs to others in between.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common class
            raise ModelFolderError(
                f"{name} cannot be run by onnxruntime: {' '.join(str(error).split())[:300]}"
            ) from None
        self.inputs = {of.name: of.shape for of in self._session.get_inputs()}
        self.outputs = [of.name for of in self._session.get_outputs()]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return all outputs; inputs that the network does not read are left out."""
        found: list[np.ndarray] = self._session.run(None, {name: inputs[name] for name in self.inputs})
        return found


class ExportedModel:
    """What every exported model has.

    Args:
        content: of its folder.
    """

    def __init__(self, content: FolderContent) -> None:
        assert content.graph is not None
        self.network = Network(content.graph, str(content.path / GRAPH))

    @property
    def module(self) -> NoReturn:
        """There is none.

        Raises:
            ConfigurationError: always; says what to use in its place.
        """
        raise ConfigurationError(
            "an exported model answers and does nothing else: use the folder that it was made from"
        )


class ExportedClassifier(ExportedModel):
    """An exported classifier or regressor, in the place of `models.SavedModel`.

    Attributes:
        features: what turns texts or frames into arrays.
    """

    def __init__(self, content: FolderContent) -> None:
        from seqwise.models.features import saved_features

        self.features: Features = saved_features(content.settings, content.vocabulary)
        super().__init__(content)

    def encode(self, texts: Iterable[Any]) -> EncodedExamples:
        """Return the texts or frames as arrays."""
        return self.features.encode(texts)

    def logits(self, examples: EncodedExamples, batch_size: int = 256) -> np.ndarray:
        """Return the outputs of all examples, (n, C) float32, batches of near-equal length computed together."""
        lengths = examples.lengths
        if len(lengths) <= min(batch_size, 1):
            return self._run(examples, np.arange(len(lengths)))
        order = np.argsort(lengths, kind="stable")
        rows = [self._run(examples, order[start : start + batch_size]) for start in range(0, len(order), batch_size)]
        result = np.empty((len(order), rows[0].shape[1]), np.float32)
        result[order] = np.concatenate(rows)
        return result

    def _run(self, examples: EncodedExamples, indices: np.ndarray) -> np.ndarray:
        read = examples.arrays(indices)
        given = {name: part for name, part in read._asdict().items() if part is not None}
        if (values := given.get("ngram_values")) is not None:
            given["ngram_values"] = values.astype(np.float32, copy=False)
        return self.network(given)[0]


class ExportedTagger(ExportedModel):
    """An exported tagger, in the place of `models.SavedTagger`.

    Attributes:
        settings: the section `model`.
        features: what turns sentences or frames into arrays.
    """

    def __init__(self, content: FolderContent) -> None:
        from seqwise.models.tagger_features import TaggerFeatures
        from seqwise.models.tagger_frames import FrameTaggerFeatures
        from seqwise.models.tagger_settings import TaggerSettings
        from seqwise.text import TextSettings

        self.settings = TaggerSettings.model_validate(content.settings["model"])
        self.features: TaggerFeatures | FrameTaggerFeatures
        if "frames" in content.vocabulary:
            self.features = FrameTaggerFeatures.from_dict(content.vocabulary)
        else:
            text = TextSettings.model_validate(content.settings["text"])
            self.features = TaggerFeatures.from_dict(content.vocabulary, text)
        super().__init__(content)

    def answers(
        self, examples: Any, indices: np.ndarray, temperature: float, offsets: np.ndarray | None
    ) -> Sequence[np.ndarray]:
        """Return tags, their probabilities, and those given the tag before, for some examples: (B, T) each."""
        chain = self._chain(examples, indices)
        if isinstance(chain, Chain):
            tags, cooled = best_tags(chain), chain.cooled(temperature)
            chances = np.take_along_axis(marginals(cooled), tags[..., None], -1)[..., 0]
            return tags, chances, np.exp(log_probabilities(cooled, tags))
        found = _chances(chain, temperature, offsets)
        return found.argmax(-1), found.max(-1), found.max(-1)

    def marginals(
        self, examples: Any, indices: np.ndarray, temperature: float, offsets: np.ndarray | None
    ) -> np.ndarray:
        """Return the probability of every tag for every step of some examples, (B, T, C)."""
        chain = self._chain(examples, indices)
        if isinstance(chain, Chain):
            return marginals(chain.cooled(temperature))
        return _chances(chain, temperature, offsets)

    def _chain(self, examples: Any, indices: np.ndarray) -> Chain | np.ndarray:
        """The scores of some examples: with a conditional random field those of tags next to each other too."""
        given = examples.arrays(indices)
        found = dict(zip(self.network.outputs, self.network(given), strict=True))
        scores = found["scores"]
        if "following" not in found:
            return scores
        live = np.arange(scores.shape[1]) < given["lengths"][:, None]
        scores = np.where(live[..., None], scores, np.float32(0))
        return Chain(scores, found["following"], found["first"], found["last"], given["lengths"])


class ExportedLanguageModel(ExportedModel):
    """An exported language model, in the place of `models.SavedLanguageModel`.

    States are as the network has them: for every layer and state of its cell an array (B, H).

    Attributes:
        pipeline: from text to symbols.
    """

    def __init__(self, content: FolderContent) -> None:
        from seqwise.text import TextPipeline

        self.pipeline = TextPipeline.from_dict(content.vocabulary)
        super().__init__(content)
        self._sizes = {name: shape[-1] for name, shape in self.network.inputs.items() if name != "symbols"}

    def start(self, streams: int) -> dict[str, np.ndarray]:
        """The states before the first symbol."""
        return {name: np.zeros((streams, size), np.float32) for name, size in self._sizes.items()}

    def losses(self, symbols: np.ndarray, targets: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        """-log P of every target (B, T), in nats, 0 where it is padding, and the states after the last symbol."""
        losses = np.zeros(symbols.shape)
        for here in self._windows(symbols):
            logs, states = self._read(symbols[:, here], states)
            wanted = targets[:, here]
            found = np.take_along_axis(logs, np.maximum(wanted - 1, 0)[..., None], -1)[..., 0]
            losses[:, here] = np.where(wanted > 0, -found.astype(np.float64), 0.0)
        return losses, states

    def following(self, symbols: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        """log P of every symbol but padding after the last of (B, T), (B, V - 1) float64, and the states."""
        logs = np.empty((len(symbols), 1, 0), np.float32)
        for here in self._windows(symbols):
            logs, states = self._read(symbols[:, here], states)
        return logs[:, -1].astype(np.float64), states

    def _windows(self, symbols: np.ndarray) -> Iterator[slice]:
        """So many symbols after the other as answers fit into memory."""
        at_once = max(1, LARGEST_OUTPUT // (len(symbols) * len(self.pipeline.vocabulary)))
        return (slice(begin, begin + at_once) for begin in range(0, symbols.shape[1], at_once))

    def _read(self, symbols: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        found = dict(zip(self.network.outputs, self.network({"symbols": symbols, **states}), strict=True))
        return found["log_probabilities"], {name: found[f"{name}_after"] for name in self._sizes}


def _chances(scores: np.ndarray, temperature: float, offsets: np.ndarray | None) -> np.ndarray:
    scores = scores / np.float32(temperature)
    found: np.ndarray = np.exp(log_softmax(scores if offsets is None else scores - offsets))
    return found


BUILDERS: dict[str, Callable[[FolderContent], Any]] = {
    "SequenceClassifier": ExportedClassifier,
    "SequenceRegressor": ExportedClassifier,
    "SequenceTagger": ExportedTagger,
    "LanguageModel": ExportedLanguageModel,
}
"""Estimators and what runs their exported models."""


def open_exported(content: FolderContent, device: str) -> Any:
    """Return what runs an exported model.

    Args:
        content: of its folder.
        device: "auto" or "cpu".

    Raises:
        DeviceError: another device.
        MissingExtraError: onnxruntime is not installed.
        ModelFolderError: the folder does not describe such a model.
    """
    if device not in ("auto", "cpu"):
        raise DeviceError(f"an exported model runs on the processor: use --device auto or cpu, not {device!r}")
    build = BUILDERS.get(content.config["estimator"])
    if build is None:
        raise ModelFolderError(
            f"{content.path} holds an exported {content.config['estimator']}, which this version cannot run"
        )
    try:
        return build(content)
    except (DataError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ModelFolderError):
            raise
        reason = " ".join(str(error).split())[:300]
        raise ModelFolderError(f"{content.path} does not describe a model: {reason}") from None


def _threads() -> int:
    """Threads of one answer: as $OMP_NUM_THREADS says, which torch obeys too; 0 is a thread a core."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() else 0
