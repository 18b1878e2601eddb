"""What a saved transcriber answers: the text of each utterance, how probable it is, and when its words were said.

Axis letters: S steps of the network, V symbols, the blank first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from seqwise.errors import ConfigurationError, DataError
from seqwise.prediction.folder import FolderContent
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.restoring import open_model
from seqwise.prediction.transcriber_language import language_scores
from seqwise.prediction.transcriber_streaming import StreamingTranscriber

if TYPE_CHECKING:
    from seqwise.data.frames import Frames
    from seqwise.models.ctc_search import Searcher
    from seqwise.models.transcriber_saved import SavedTranscriber
    from seqwise.models.transcriber_settings import TranscriberSearchSettings

TOGETHER = 32  # utterances read side by side
LANGUAGE_FOLDER = "language_model"


@dataclass(frozen=True)
class SpokenWord:
    """A word and when it was said.

    Attributes:
        text: the word.
        start: of its first symbol: seconds from the beginning, or frames where their rate is not known.
        end: of its last symbol. A network often says a symbol in a single step: the sound around it may be longer.
        score: the geometric mean of the probabilities of its symbols, each at its clearest step.
    """

    text: str
    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Transcript:
    """What the model has heard.

    Attributes:
        text: words with single spaces.
        log_probability: log P(text | x) of the network alone, summed over all ways to say it, in nats.
        words: each with its time.
        unit: of the times: "seconds", or "frames".
    """

    text: str
    log_probability: float
    words: list[SpokenWord]
    unit: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        words = [
            {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3), "score": round(word.score, 4)}
            for word in self.words
        ]
        return {"text": self.text, "log_probability": self.log_probability, "unit": self.unit, "words": words}


class TranscriberPredictor(StreamingTranscriber):
    """A transcriber that answers.

    Attributes:
        config: the whole of config.json.
        settings: its sections.
        features: from frames to arrays, from symbols to text.
        network: the module, on its device.
        words: that it may say; None: all.
        language: the language model, or None.
        search: how the text is found.
    """

    def __init__(
        self, content: FolderContent, model: SavedTranscriber, language: LanguagePredictor | None = None
    ) -> None:
        from seqwise.models.transcriber_settings import TranscriberSearchSettings

        self.config, self.settings = content.config, content.settings
        self.features, self.network, self.words = model.features, model.module, model.words
        self.language = language
        self.search: TranscriberSearchSettings = TranscriberSearchSettings.model_validate(content.settings["search"])

    @classmethod
    def load(cls, path: str | Path, device: str = "auto") -> Self:
        """Read a model folder.

        Raises:
            ModelFolderError: it is not a sound model folder, or not that of a transcriber.
            DeviceError: there is no such device.
        """
        content, model = open_model(path, device, "Transcriber", "a transcriber")
        named = content.settings.get("search", {}).get("language_model")
        return cls(
            content, model, None if named is None else LanguagePredictor.load(Path(path) / LANGUAGE_FOLDER, device)
        )

    @property
    def rate(self) -> float | None:
        """Frames a second, as they are given; None where it is not known."""
        return self.features.frames.rate

    @property
    def reduction(self) -> int:
        """How many given frames a step of the network stands for."""
        return self.features.frames.reduction * self.network.settings.reduction

    def use(
        self,
        *,
        words: Iterable[str] | None = None,
        language: LanguagePredictor | None = None,
        **search: Any,
    ) -> None:
        """Search in another way than was saved.

        Args:
            words: only these are said.
            language: a language model.
            **search: values of the section `search`: beam, cutoff, language_weight, insertion_bonus.

        Raises:
            ConfigurationError: a value is out of its range.
        """
        from pydantic import ValidationError

        from seqwise.models.transcriber_settings import TranscriberSearchSettings

        self.words = self.words if words is None else sorted(set(words))
        if language is not None:
            self.language = language
            search.setdefault("language_weight", self.search.language_weight or 0.5)
        given = {**self.search.model_dump(), **search}
        if language is not None:
            given["language_model"] = given["language_model"] or LANGUAGE_FOLDER
        try:
            self.search = TranscriberSearchSettings.model_validate(given)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            where = ".".join(["search", *map(str, problem["loc"])])
            raise ConfigurationError(f"{where}: {problem['msg']}, got {problem['input']!r:.60}") from None

    def transcribe(self, utterances: Frames | Sequence[Any]) -> list[Transcript]:
        """Say what was said in each utterance.

        Args:
            utterances: `Frames`, or arrays (steps, channels).

        Raises:
            DataError: one has no step, or other channels than the model was trained on.
        """
        logs = self.log_probabilities(utterances)
        return self.align(logs, self.find(logs))

    def texts(self, utterances: Frames | Sequence[Any]) -> list[str]:
        """The text of each utterance."""
        return [self.features.write(symbols) for symbols in self.find(self.log_probabilities(utterances))]

    def log_probabilities(self, utterances: Frames | Sequence[Any]) -> list[np.ndarray]:
        """log P of every symbol at every step of each utterance, (S, V) float32 each."""
        import torch

        if isinstance(utterances, str | bytes):
            raise DataError("utterances are a list of frames, got a text")
        if not len(utterances):
            return []
        result: list[np.ndarray] = [np.empty(0)] * len(utterances)
        for indices, batch in self._batches(utterances):
            with torch.no_grad():
                logits, lengths = self.network(batch.frames, batch.lengths)
                found = logits.float().log_softmax(-1).cpu().numpy()
            for place, index in enumerate(indices):
                result[index] = found[place, : int(lengths[place])]
        return result

    def find(self, logs: Iterable[np.ndarray], search: TranscriberSearchSettings | None = None) -> list[list[int]]:
        """The symbols that outputs stand for.

        Args:
            logs: of each utterance, from `log_probabilities`.
            search: another way to search.
        """
        from seqwise.models.ctc_search import greedy

        searcher = self.searcher(search or self.search)
        if searcher is None:
            return [greedy(of) for of in logs]
        return [searcher.search(of)[0].symbols for of in logs]

    def searcher(self, search: TranscriberSearchSettings) -> Searcher | None:
        """What searches; None where the most probable symbol of each step is taken.

        Raises:
            ConfigurationError: word list or language model do not go with the model's symbols.
        """
        from seqwise.models.ctc_search import Searcher, SearchSettings
        from seqwise.models.lexicon import Lexicon

        lexicon = None if self.words is None else Lexicon(self.words, self.features.symbols)
        language = None
        if self.language is not None and search.language_weight:
            language = language_scores(self.language, self.features)
        if search.beam == 1 and lexicon is None and language is None:
            return None
        chosen = SearchSettings(
            beam=search.beam,
            weight=search.language_weight or 0.0 if language is not None else 0.0,
            bonus=search.insertion_bonus or 0.0,
            cutoff=search.cutoff,
        )
        return Searcher(chosen, lexicon=lexicon, language=language, counted=self.features.word_marks.astype(float))

    def align(self, logs: Sequence[np.ndarray], symbols: Sequence[Sequence[int]]) -> list[Transcript]:
        """Find out how probable texts are, and when their words were said.

        Args:
            logs: of each utterance, from `log_probabilities`.
            symbols: of each, which its steps can hold.
        """
        import torch

        from seqwise.ops.ctc import ctc_align, ctc_log_likelihood
        from seqwise.text.ragged import Ragged

        result: list[Transcript | None] = [None] * len(logs)
        order = np.argsort([len(of) for of in logs], kind="stable")
        for start in range(0, len(order), TOGETHER):
            chosen = order[start : start + TOGETHER]
            lengths = torch.tensor([len(logs[i]) for i in chosen])
            read = torch.zeros(len(chosen), int(lengths.max()), logs[chosen[0]].shape[1])
            for place, i in enumerate(chosen):
                read[place, : len(logs[i])] = torch.from_numpy(logs[i])
            targets = Ragged.from_rows([symbols[i] for i in chosen])
            given = (torch.from_numpy(targets.padded().astype(np.int64)), lengths, torch.from_numpy(targets.lengths))
            values = ctc_log_likelihood(read, *given).tolist()
            paths = ctc_align(read, *given).numpy()
            for place, i in enumerate(chosen):
                path = paths[place, : len(logs[i])]
                result[i] = self._transcript(logs[i], list(symbols[i]), path, values[place])
        return [of for of in result if of is not None]

    def _transcript(self, logs: np.ndarray, symbols: list[int], path: np.ndarray, value: float) -> Transcript:
        seconds = self.reduction / (self.rate or 1.0)
        words: list[SpokenWord] = []
        for first, last in _word_bounds([self.features.symbols[symbol] for symbol in symbols]):
            steps = [np.flatnonzero(path == 2 * place + 1) for place in range(first, last)]
            peaks = [logs[at, symbols[place]].max() for place, at in zip(range(first, last), steps, strict=True)]
            words.append(
                SpokenWord(
                    text=self.features.write(symbols[first:last]),
                    start=float(steps[0][0] * seconds),
                    end=float((steps[-1][-1] + 1) * seconds),
                    score=float(np.exp(np.mean(peaks))),
                )
            )
        return Transcript(self.features.write(symbols), value, words, "seconds" if self.rate else "frames")

    def _batches(self, utterances: Frames | Sequence[Any]) -> Iterator[tuple[np.ndarray, Any]]:
        """Batches of near-equal length on the device, each with the numbers of its utterances."""
        from seqwise.models.transcriber_features import SpokenExamples

        examples = SpokenExamples(self.features.frames.encode(utterances))
        order = np.argsort(examples.frames.lengths, kind="stable")
        device = self.network.head.weight.device
        for start in range(0, len(order), TOGETHER):
            indices = order[start : start + TOGETHER]
            batch = examples.batch(indices)
            yield indices, batch._replace(frames=batch.frames.to(device), lengths=batch.lengths.to(device))


def read_word_list(path: str | Path) -> list[str]:
    """The words of a text file, one a line; empty lines are passed over.

    Raises:
        ConfigurationError: the file cannot be read, has no word, or a line has several.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"the word list {path} cannot be read: {reason}") from None
    for number, line in enumerate(lines, 1):
        if len(line.split()) > 1:
            raise ConfigurationError(f"{path}, line {number}: a word list has one word a line, got {line!r:.60}")
    words = [line.strip() for line in lines if line.strip()]
    if not words:
        raise ConfigurationError(f"the word list {path} is empty: a word list has one word a line")
    return words


def _word_bounds(symbols: Sequence[str]) -> list[tuple[int, int]]:
    """Of every word its first symbol, and the one behind its last."""
    bounds: list[tuple[int, int]] = []
    open_ = False
    for place, symbol in enumerate(symbols):
        if symbol == " ":
            open_ = False
            continue
        if open_ and not symbol.startswith(" "):
            bounds[-1] = (bounds[-1][0], place + 1)
        else:
            bounds.append((place, place + 1))
        open_ = True
    return bounds
