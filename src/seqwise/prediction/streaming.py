"""Answers while a sequence still comes: after every step what the whole sequence up to it gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.errors import ConfigurationError, DataError
from seqwise.metrics.link_functions import sigmoid, softmax
from seqwise.prediction.decisions import Decisions
from seqwise.prediction.state_format import state_bytes, state_from
from seqwise.text.vocabulary import EOS, UNK

if TYPE_CHECKING:
    from seqwise.models import FrameFeatures, FrameSettings, LanguageNetwork, TaggerNetwork
    from seqwise.models.one_sequence import SequenceSteps
    from seqwise.text import TextPipeline


@dataclass(frozen=True)
class Stream:
    """Where a model is in a sequence. A step writes to it and returns the next one: the one before holds no longer.

    Attributes:
        network: state of the network.
        steps: that have been read.
        answer: the last one.
    """

    network: Any
    steps: int = 0
    answer: Any = None


class Streaming:
    """What every predictor has that reads step by step: `start`, `step`, and the state between them as bytes."""

    config: dict[str, Any]
    settings: dict[str, Any]

    def start(self) -> Any:
        """Where a sequence begins."""
        raise NotImplementedError

    def export_state(self, state: Any) -> bytes:
        """Write the state that `start` or the last step gave, so that another process can go on from it.

        Its size says how long the sequence was only where a Transformer without `context` has read it.
        """
        return state_bytes(state, self.config.get("sha256", ""))

    def import_state(self, content: bytes, start: Any = None) -> Any:
        """Read a state that a predictor of the same model has written; steps from it answer bit for bit as there.

        Args:
            content: of `export_state`.
            start: what the sequences began from, where that was not `start()`.

        Raises:
            DataError: it is damaged, or one of another model.
        """
        start = self.start() if start is None else start
        state = state_from(
            content,
            self._like(start),
            self.config.get("sha256", ""),
            growing=self._growing(),
            optional=frozenset({"answer"}),
        )
        self._check_state(state)
        return state

    def _like(self, start: Any) -> Any:
        """A state of the shape that all later ones have."""
        return start

    def _growing(self) -> dict[str, int]:
        """Arrays that grow with the steps, by name, with their axis."""
        context = self.settings.get("model", {}).get("context")
        return {"keys": 3, "values": 3} if context is None else {}

    def _check_state(self, state: Any) -> None:
        """Refuse a state that `step` could not go on from."""


class StreamingReader(Streaming):
    """What a predictor has of one answer for the whole of a sequence that comes step by step."""

    _steps: SequenceSteps | None = None

    def start(self) -> Stream:
        """Where a sequence begins.

        Raises:
            ConfigurationError: the model needs whole sequences: it reads in both directions, has an n-gram part, or frames
                are prepared from several steps.
        """
        model = self._saved
        if self.config["unit"] == "frames":
            check_stepwise(model.features.frames.settings)
        self._steps = getattr(model, "steps", None)  # of packed weights, for which there need not be a module
        if self._steps is not None:
            return Stream(self._steps.start())
        module = model.module.eval()  # before torch is imported: an exported model has none, and says so
        from seqwise.models.module_steps import prepare_steps

        state = module.start(1)
        self._steps = prepare_steps(module)
        return Stream(state if self._steps is None else self._steps.start())

    def step(self, state: Stream, x: Any) -> tuple[Stream, np.ndarray]:
        """Read on, and answer for what has been read.

        Args:
            state: as `start` or the last step gave it.
            x: a token, or a piece of text that is cut into symbols by itself; or one frame (D,).

        Returns:
            The state, and the answer for the whole sequence up to here (however long it is), (C,).

        Raises:
            DataError: it is none of these, or a frame with another number of channels or a missing number.
        """
        features = self._saved.features
        network, steps, logits = state.network, state.steps, None
        if self.config["unit"] == "frames":
            logits, network = self._read(frame_of(features.frames, x), network)
            steps += 1
        else:
            pipeline: TextPipeline = features.pipeline
            for symbol in symbols_of(pipeline, x):
                logits, network = self._read(symbol, network)
                steps += 1
            ending = EOS if pipeline.settings.end_mark else UNK if steps == 0 else None  # nothing is read as <unk>
            if ending is not None:
                logits, _ = self._read(ending, self._copied(network))
        # A piece that has no symbol changes nothing.
        answer = state.answer if logits is None else self._answer(logits)
        return Stream(network, steps, answer), answer

    def _read(self, x: int | np.ndarray, network: Any) -> tuple[np.ndarray, Any]:
        """Logits after one more step, (C,), and the state of the network."""
        if (steps := self._steps) is not None:
            return steps.step(x, network), network
        import torch

        module = self._saved.module
        given = torch.tensor([x]) if isinstance(x, int) else torch.from_numpy(x[None])
        logits, network = module.step(given.to(module.scales.device), network)
        return logits[0].float().cpu().numpy(), network

    def _copied(self, network: Any) -> Any:
        return network.copied() if self._steps is None else self._steps.copied(network)

    @property
    def _saved(self) -> Any:
        """The model: `features` make numbers of the input, `module` reads them."""
        raise NotImplementedError

    @property
    def _outputs(self) -> int:
        """C."""
        raise NotImplementedError

    def _answer(self, logits: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _like(self, start: Any) -> Any:
        return replace(start, answer=np.empty(self._outputs)) if isinstance(start, Stream) else start


class StreamingClassifier(StreamingReader):
    """What a classifier's predictor has for sequences that come step by step: `step` gives what `predict_proba` does."""

    classes: list[Any]
    decisions: Decisions
    multilabel: bool
    _model: Any

    @property
    def _saved(self) -> Any:
        return self._model

    @property
    def _outputs(self) -> int:
        return len(self.classes)

    def _answer(self, logits: np.ndarray) -> np.ndarray:
        found = (sigmoid if self.multilabel else softmax)(logits[None].astype(np.float32))
        return self.decisions.corrected(self.decisions.calibrated(found))[0]


class StreamingLanguageModel(Streaming):
    """What a language model's predictor has for texts that come step by step."""

    pipeline: TextPipeline
    network: LanguageNetwork
    opening: int
    _steps: SequenceSteps | None = None

    def start(self) -> Stream:
        """Where a text begins; `answer` is log P of every symbol but padding as the first one, (V - 1,)."""
        network = self.network  # before torch is imported: an exported model has none, and says so
        from seqwise.models.module_steps import prepare_steps

        self._steps = prepare_steps(network)
        begin = network.start(1) if self._steps is None else self._steps.start()
        return self._read(Stream(begin), [self.opening])

    def step(self, state: Stream, x: Any) -> tuple[Stream, np.ndarray]:
        """Read on, and say what comes next.

        Args:
            state: as `start` or the last step gave it.
            x: a token, or a piece of text that is cut into symbols by itself.

        Returns:
            The state, and log P of every symbol but padding as the next one, (V - 1,), in nats.

        Raises:
            DataError: it is no text.
        """
        state = self._read(state, symbols_of(self.pipeline, x))
        return state, state.answer

    def read(self, state: Stream, x: Any) -> tuple[Stream, list[tuple[str, float]]]:
        """Read on, and say how probable what was read had been.

        Args:
            state: as for `step`.
            x: as for `step`.

        Returns:
            The state, and each symbol of x with its log P given all before it, in nats.

        Raises:
            DataError: it is no text.
        """
        symbols = symbols_of(self.pipeline, x)
        said: list[float] = []
        for symbol in symbols:
            said.append(float(state.answer[(symbol or UNK) - 1]))  # nobody says padding
            state = self._read(state, [symbol])
        return state, list(zip(self.pipeline.vocabulary.decode(symbols), said, strict=True))

    def _read(self, state: Stream, symbols: list[int]) -> Stream:
        network, steps, answer = state.network, state.steps, state.answer
        for symbol in symbols:
            if self._steps is not None:
                scores = self._steps.step(symbol, network).astype(np.float64)
                scores -= scores.max()
                answer = scores - np.log(np.exp(scores).sum())
            else:
                import torch

                given = torch.tensor([symbol], device=self.network.embedding.weight.device)
                logs, network = self.network.step(given, network)
                answer = logs[0].double().cpu().numpy()
            steps += 1
        return Stream(network, steps, answer)


class StreamingTagger(Streaming):
    """What a tagger's predictor has for sequences that come step by step."""

    network: TaggerNetwork
    features: Any
    framed: bool
    temperature: float

    def start(self) -> Stream:
        """Where a sequence begins.

        Raises:
            ConfigurationError: the model needs whole sequences: it reads in both directions, a conditional random field
                decides, or frames are prepared from several steps.
        """
        if self.framed:
            check_stepwise(self.features.settings)
        return Stream(self.network.start(1))

    def step(self, state: Stream, x: Any) -> tuple[Stream, np.ndarray]:
        """Read on, and say what the tag of this step is.

        Args:
            state: as `start` or the last step gave it.
            x: a token; or one frame (D,).

        Returns:
            The state, and the probability of every tag of `classes`, (C,): what `marginals` gives for this step.

        Raises:
            DataError: it is none of these, or a frame with another number of channels or a missing number.
        """
        import torch

        from seqwise.data.frames import Frames

        if self.framed:
            frame_of(self.features.frames, x)
            examples = self.features.encode(Frames.from_rows([np.asarray(x, np.float32)[None]]))
        elif isinstance(x, str) and x:
            examples = self.features.encode([[x]])
        else:
            raise DataError(f"a step of this model is a token, got {x!r:.40}")
        batch = examples.batch(np.array([0])).to(self.network.head.weight.device)
        with torch.no_grad():
            emissions, network = self.network.step(batch, state.network)
            found = self.network.probabilities(emissions[:, None], batch, self.temperature, self._shift)
        answer = found[0, 0].double().cpu().numpy()
        return Stream(network, state.steps + 1, answer), answer

    @property
    def _shift(self) -> Any:
        return None

    def _like(self, start: Any) -> Any:
        return replace(start, answer=np.empty(len(self.network.head.bias)))


def symbols_of(pipeline: TextPipeline, x: Any) -> list[int]:
    """The symbols of a token, or of a piece of text.

    Raises:
        DataError: it is no text.
    """
    if not isinstance(x, str):
        raise DataError(f"a step of this model is a token or a piece of text, got {type(x).__name__}")
    given: str | list[str] = [x] if pipeline.settings.unit == "tokens" else x
    return pipeline.vocabulary.encode(pipeline.tokenizer.running(given)).tolist()


def check_stepwise(settings: FrameSettings) -> None:
    """Refuse frames that are prepared from more than one step.

    Raises:
        ConfigurationError: names the setting.
    """
    for name, alone in {"features": "none", "stack": 1, "stride": 1, "deltas": 0, "max_length": None}.items():
        if (value := getattr(settings, name)) != alone:
            raise ConfigurationError(f"frames.{name} needs more than one step, and is {value}: read whole sequences")
    if settings.normalise == "sequence":
        raise ConfigurationError("frames.normalise needs more than one step, and is 'sequence': read whole sequences")


def frame_of(features: FrameFeatures, x: Any) -> np.ndarray:
    """One frame as a network reads it, (D,).

    Raises:
        DataError: it is no frame of D numbers, or one of them is missing.
    """
    try:
        frame = np.asarray(x, np.float32)
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"a step is {features.channels} numbers, got {type(x).__name__}") from None
    if frame.shape != (features.channels,) or np.isnan(frame).any():
        raise DataError(f"a step is {features.channels} numbers, none of them missing; got shape {frame.shape}")
    return np.array(features.encode([frame[None]])[0][0])
