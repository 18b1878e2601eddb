"""What a saved translator answers: translations with their scores, the next best ones, and where it looked.

Axis letters: T target symbols, S source symbols.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqwise.errors import DataError, ModelFolderError
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.restoring import open_model

if TYPE_CHECKING:
    from seqwise.models import SavedTranslator
    from seqwise.models.search import BeamSettings, Hypothesis

TOGETHER = 64  # texts translated side by side
SPARE = 10  # symbols that a target may have beyond what its source's length lets expect


@dataclass(frozen=True)
class Translation:
    """One answer.

    Attributes:
        text: plain text.
        score: what it was chosen by: log P, normalised by its length as the settings say.
        log_probability: log P of the whole, in nats.
        symbols: what the model wrote, <eos> last.
        attention: (T, S), where it looked when it wrote each symbol; None for a model without attention.
    """

    text: str
    score: float
    log_probability: float
    symbols: list[str] = field(default_factory=list)
    attention: np.ndarray | None = None


@dataclass(frozen=True)
class Translated:
    """A text and its translations.

    Attributes:
        source: as given.
        symbols: what the model read, <eos> last.
        answers: best first.
        truncated: whether the text was longer than the model reads, so that its end (or beginning) was cut off.
    """

    source: str
    symbols: list[str]
    answers: list[Translation]
    truncated: bool = False

    @property
    def text(self) -> str:
        """The best translation."""
        return self.answers[0].text

    def to_dict(self, *, attention: bool = False) -> dict[str, Any]:
        """Plain values.

        Args:
            attention: with the weights, and the symbols that they belong to.
        """
        answers = []
        for of in self.answers:
            entry: dict[str, Any] = {"text": of.text, "score": of.score, "log_probability": of.log_probability}
            if attention and of.attention is not None:
                entry |= {"symbols": of.symbols, "attention": np.round(of.attention.astype(float), 4).tolist()}
            answers.append(entry)
        read = {"symbols": self.symbols} if attention else {}
        return {
            "source": self.source,
            "translation": self.text,
            "answers": answers,
            **read,
            "truncated": self.truncated,
        }


class TranslatorPredictor:
    """A translator that answers.

    Attributes:
        config: the whole of config.json.
        settings: its sections.
        features: from texts to arrays, and from symbols to text.
        network: the module, on its device.
        ratio: target symbols for each source symbol that nearly all training pairs stay below.
    """

    def __init__(self, content: FolderContent, model: SavedTranslator) -> None:
        self.config, self.settings = content.config, content.settings
        self.features, self.network = model.features, model.module
        self.ratio = content.config.get("ratio", 2.0)
        if not isinstance(self.ratio, int | float) or not 0 < self.ratio < math.inf:
            raise ModelFolderError(f"{content.path}: the ratio of lengths {self.ratio!r:.40} is no number above 0")

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Read a model folder.

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a translator.
            DeviceError: there is no such device.
        """
        content, model = open_model(path, device, "Translator", "a translator")
        return cls(content, model)

    def search_options(self, beam: int | None = None, n_best: int = 1) -> BeamSettings:
        """How is searched: as the section `search` says, but for what is given.

        Raises:
            ConfigurationError: a beam below 1, or more answers than hypotheses.
        """
        from seqwise.models import SearchSettings

        return SearchSettings.model_validate(self.settings.get("search", {})).options(beam, n_best)

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam: int | None = None,
        n_best: int = 1,
        options: BeamSettings | None = None,
    ) -> list[Translated]:
        """Translate texts.

        Args:
            texts: strings; what has no symbol is translated by nothing. Of a text longer than `text.max_length` only the
                part that the model reads is translated, and the answer says so.
            beam: hypotheses kept of each; None: as the model's settings say.
            n_best: answers for each at most.
            options: all options of the search, instead of those two.

        Raises:
            DataError: something is no text.
            ConfigurationError: a beam below 1, or more answers than hypotheses.
        """
        import torch

        if isinstance(texts, str | bytes):
            raise DataError("texts are a list of strings, got a single one: put it in a list")
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(f"text {number + 1} is {type(text).__name__}, and a text is expected")
        chosen = options or self.search_options(beam, n_best)
        cut = [self.features.cut(text) for text in texts]
        empty = [Translation("", 0.0, 0.0)]
        result = [Translated(text, [], empty) for text in texts]
        rows = [number for number, tokens in enumerate(cut) if tokens]
        if not rows:
            return result
        examples = self.features.encode([texts[number] for number in rows])
        order = np.argsort(examples.source.lengths, kind="stable")
        device = self.network.bias.device
        for start in range(0, len(order), TOGETHER):
            indices = order[start : start + TOGETHER]
            batch = examples.batch(indices).to(device)
            longest = torch.tensor([self._longest(len(cut[rows[i]])) for i in indices], device=device)
            for index, found in zip(indices, self.network.translate(batch, chosen, longest), strict=True):
                row = rows[index]
                result[row] = self._answer(texts[row], cut[row], found)
        return result

    def judge(self, sources: Sequence[str], targets: Sequence[str]) -> tuple[float, float]:
        """Mean -log P of a target symbol given its source and those before it, in nats, and how many are the most probable.

        Args:
            sources: texts.
            targets: as many translations; <eos> counts as a symbol.
        """
        import torch

        examples = self.features.encode(sources, targets)
        assert examples.targets is not None
        order, totals = np.argsort(examples.order, kind="stable"), np.zeros(2)
        for start in range(0, len(order), TOGETHER):
            batch = examples.batch(order[start : start + TOGETHER]).to(self.network.bias.device)
            with torch.no_grad():
                totals += [float(of.double().sum()) for of in self.network.judge(batch)]
        symbols = len(examples.targets.ids)
        return float(totals[0] / symbols), float(totals[1] / symbols)

    def _longest(self, symbols: int) -> int:
        """Of a target, <eos> included."""
        return min(math.ceil(self.ratio * (symbols + 1)) + SPARE, self.features.target_text.max_length + SPARE)

    def _answer(self, text: str, tokens: list[str], found: list[Hypothesis]) -> Translated:
        settings = self.features.text
        room = settings.max_length - 1
        truncated = len(tokens) > room
        if truncated:
            tokens = tokens[:room] if settings.keep == "first" else tokens[len(tokens) - room :]
        words = self.features.source_words(tokens)
        answers = []
        for of in found:
            attention = None if of.attention is None else of.attention[:, : len(tokens) + 1]
            replaced = None
            if attention is not None:  # <eos> is no word that could stand for another
                replaced = [words[int(place)] for place in attention[: len(of.symbols), : len(tokens)].argmax(1)]
            symbols = self.features.target.vocabulary.decode([*of.symbols])
            answers.append(
                Translation(
                    self.features.write(of.symbols, replaced),
                    of.score,
                    of.log_probability,
                    [*symbols, "<eos>"],
                    attention,
                )
            )
        return Translated(text, [*tokens, "<eos>"], answers, truncated)
