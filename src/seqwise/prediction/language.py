"""What a saved language model answers: how probable texts are, what comes next, and texts drawn from it.

Axis letters: N symbols, B texts, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import numpy as np

from seqwise.errors import ConfigurationError, DataError
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.restoring import RestoredModel, open_model
from seqwise.prediction.sampling import Joining, Sampling, draw
from seqwise.prediction.streaming import StreamingLanguageModel
from seqwise.text import TextPipeline
from seqwise.text.vocabulary import EOS, PAD

if TYPE_CHECKING:
    from torch import Tensor

    from seqwise.models import LanguageNetwork

WINDOW = 512  # steps read at once
TOGETHER = 64  # texts read side by side


@dataclass(frozen=True)
class ScoredText:
    """A text and how probable it is.

    Attributes:
        text: as given.
        tokens: its symbols, <eos> included where the model has learned one; what the model does not know is <unk>.
        log_probabilities: of each, given all before it, in nats.
    """

    text: str
    tokens: list[str]
    log_probabilities: list[float]

    @property
    def log_probability(self) -> float:
        """log P(text), in nats."""
        return math.fsum(self.log_probabilities)

    @property
    def perplexity(self) -> float:
        """exp of the mean -log P of a symbol."""
        return math.exp(min(-self.log_probability / max(len(self.tokens), 1), 700))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "text": self.text,
            "log_probability": self.log_probability,
            "perplexity": self.perplexity,
            "tokens": [[token, value] for token, value in zip(self.tokens, self.log_probabilities, strict=True)],
        }


class RestoredLanguageModel(RestoredModel, Protocol):
    """A language model, and what turns texts into its symbols."""

    @property
    def pipeline(self) -> TextPipeline:
        """From text to symbols."""

    def start(self, streams: int) -> Any:
        """The states before the first symbol."""

    def losses(self, symbols: np.ndarray, targets: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        """-log P of every target, and the states after the last symbol."""

    def following(self, symbols: np.ndarray, states: Any) -> tuple[np.ndarray, Any]:
        """log P of every symbol but padding after the last one, and the states."""


class LanguagePredictor(StreamingLanguageModel):
    """A language model that answers.

    Attributes:
        config: the whole of config.json.
        settings: its sections.
        pipeline: from text to symbols.
    """

    def __init__(self, content: FolderContent, model: RestoredLanguageModel) -> None:
        self.config, self.settings = content.config, content.settings
        self.pipeline = model.pipeline
        self._model = model

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Read a model folder.

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a language model.
            DeviceError: there is no such device.
        """
        content, model = open_model(path, device, "LanguageModel", "a language model")
        return cls(content, model)

    @property
    def network(self) -> LanguageNetwork:  # type: ignore[override]
        """The module, on its device.

        Raises:
            ConfigurationError: of an exported model, which has none.
        """
        return cast("LanguageNetwork", self._model.module)

    @property
    def ends(self) -> bool:
        """Whether the model has learned where a text ends."""
        return self.pipeline.settings.end_mark

    @property
    def opening(self) -> int:  # type: ignore[override]
        """The symbol before the first: <eos>, which ends a text; without it a line break, or what is most frequent."""
        vocabulary = self.pipeline.vocabulary
        if self.ends:
            return EOS
        return int(vocabulary.encode(["\n"])[0]) if "\n" in vocabulary else min(EOS + 1, len(vocabulary) - 1)

    def encode(self, texts: Iterable[Any]) -> list[np.ndarray]:
        """The symbols of each text, (its length,) int32; <eos> at its end where the model has learned one."""
        return [self.pipeline.encode_stream([text]) for text in texts]

    def read_stream(self, symbols: np.ndarray) -> np.ndarray:
        """-log P of every symbol given all before it, the state carried over from the first to the last.

        Args:
            symbols: (N,).

        Returns:
            (N,) float64, in nats.
        """
        return self._losses(symbols[None])[0]

    def adapt_stream(self, symbols: np.ndarray, rate: float, steps: int = 20) -> np.ndarray:
        """As `read_stream`, while the model goes on learning from what it has read (Krause et al. 2018).

        After every window a step of gradient descent is taken; the model itself stays as it is.

        Args:
            symbols: (N,).
            rate: learning rate.
            steps: T of a window.
        """
        import torch

        network = type(self.network)(self.network.settings, len(self.pipeline.vocabulary)).to(self._device)
        network.load_state_dict(self.network.state_dict())
        network.eval()
        parameters: list[torch.Tensor] = list(network.parameters())
        parts = []
        for losses in self._windows(network, symbols[None], steps):
            parts.append(losses[0].detach().double().cpu().numpy())
            gradients = torch.autograd.grad(losses.mean(), parameters)
            norm = float(torch.nn.utils.get_total_norm(gradients))
            with torch.no_grad():
                torch._foreach_add_(parameters, list(gradients), alpha=-rate / max(1.0, norm))
        return np.concatenate(parts) if parts else np.empty(0)

    def score(self, texts: Sequence[Any]) -> list[ScoredText]:
        """How probable each text is, on its own: nothing is read before it.

        Args:
            texts: strings; for a model of given tokens also lists of strings.

        Raises:
            DataError: something is neither.
        """
        rows = self.encode(_checked(texts))
        decode = self.pipeline.vocabulary.decode
        scored: list[ScoredText] = []
        for begin in range(0, len(rows), TOGETHER):
            part = rows[begin : begin + TOGETHER]
            targets = np.full((len(part), max(map(len, part))), PAD, np.int64)
            for i, row in enumerate(part):
                targets[i, : len(row)] = row
            together = -self._losses(targets)
            for i, row in enumerate(part):
                text = texts[begin + i]
                written = text if isinstance(text, str) else " ".join(text)
                scored.append(ScoredText(written, decode(row.tolist()), together[i, : len(row)].tolist()))
        return scored

    def next_symbols(self, prompt: str = "", top: int = 10) -> list[tuple[str, float]]:
        """The most probable next symbols after a text, and their probabilities.

        Raises:
            DataError: the prompt is no text.
            ConfigurationError: fewer than one is asked for.
        """
        if top < 1:
            raise ConfigurationError(f"at least one symbol is shown, not {top}")
        logs, _ = self._after(prompt)
        first = logs[0]
        best = np.argsort(-first, kind="stable")[:top]
        decode = self.pipeline.vocabulary.decode
        return [(decode([int(i) + 1])[0], float(np.exp(first[i]))) for i in best]

    def log_probabilities_after(self, prompts: Sequence[str], symbols: Sequence[str]) -> list[float]:
        """log P of one symbol after each text, in nats.

        Args:
            prompts: texts.
            symbols: one for each, as `next_symbols` writes them; what the model does not know is <unk>.
        """
        vocabulary = self.pipeline.vocabulary
        wanted = vocabulary.encode(symbols) - 1
        return [float(self._after(prompt)[0][0, i]) for prompt, i in zip(prompts, wanted, strict=True)]

    def generate(self, prompt: str = "", sampling: Sampling | None = None) -> Iterator[str]:
        """Draw a text, symbol by symbol, as pieces that joined are what comes after the prompt.

        Each symbol is drawn from its distribution given all before it; <eos> ends the text, and <unk> is never drawn.

        Args:
            prompt: what has been said before.
            sampling: how to draw.

        Raises:
            DataError: the prompt is no text.
        """
        sampling = sampling or Sampling()
        random = np.random.default_rng(sampling.seed)
        logs, states = self._after(prompt)
        pieces = Joining(self.pipeline.settings.unit, begins=not prompt)
        for _ in range(sampling.max_tokens):
            symbol = draw(logs[0], sampling, random)
            if symbol == EOS:
                break
            yield pieces.next(self.pipeline.vocabulary.decode([symbol])[0])
            logs, states = self._model.following(np.array([[symbol]], np.int64), states)

    @property
    def _device(self) -> Any:
        return self.network.embedding.weight.device

    def _losses(self, targets: np.ndarray) -> np.ndarray:
        """-log P of the symbols of all rows, (B, N) float64; padding has none."""
        read = np.concatenate([np.full((len(targets), 1), self.opening), targets[:, :-1]], axis=1).astype(np.int64)
        result, states = np.empty(targets.shape), self._model.start(len(targets))
        for begin in range(0, targets.shape[1], WINDOW):
            here = slice(begin, begin + WINDOW)
            result[:, here], states = self._model.losses(read[:, here], targets[:, here], states)
        return result

    def _windows(self, network: LanguageNetwork, targets: np.ndarray, steps: int) -> Iterator[Tensor]:
        """-log P of some steps of all rows after the other, (B, T) each; the state is carried over, gradients are not.

        Args:
            network: that reads; it may change from window to window.
            targets: symbols, (B, all steps); padding has no loss.
            steps: T at most.
        """
        import torch

        read = np.concatenate([np.full((len(targets), 1), self.opening), targets[:, :-1]], axis=1)
        states = network.start(len(targets))
        for begin in range(0, targets.shape[1], steps):
            here = slice(begin, begin + steps)
            given, wanted = (torch.from_numpy(of[:, here].astype(np.int64)).to(self._device) for of in (read, targets))
            losses, reading = network.losses(given, wanted, states)
            states = tuple(state.detach() for state in reading.states)
            yield losses

    def _after(self, prompt: str) -> tuple[np.ndarray, Any]:
        """log P of what comes after a prompt, (1, V - 1), and the states."""
        (row,) = self.encode([prompt])
        row = row[:-1] if self.ends else row
        return self._model.following(np.array([[self.opening, *row.tolist()]], np.int64), self._model.start(1))


def _checked(texts: Sequence[Any]) -> Sequence[Any]:
    if isinstance(texts, str | bytes):
        raise DataError("texts are a list of strings, got a single one: put it in a list")
    return texts
