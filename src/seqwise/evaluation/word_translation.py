"""The honest baseline of a translator: each word by its most probable translation, in the source's order.

Translation probabilities are those of IBM model 1 (Brown et al. 1993), by expectation maximisation over all pairs at once; a
bigram model of the target chooses among the best translations of a word ("ein" or "eine"). Words are neither moved nor left
out nor added: what is better has learned more than a dictionary.

Axis letters: n pairs, P pairs of a source and a target word that stand in one pair of texts, K translations of a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import DataError
from seqwise.models import TranslatorFeatures
from seqwise.text import TextSettings
from seqwise.text.vocabulary import EOS, UNK

NAME = "word-by-word translation (IBM model 1)"
ROUNDS = 8  # of expectation maximisation; further ones change few translations
CANDIDATES = 5  # K
LARGEST = 100_000  # pairs that are counted; of more, every so manieth
DISCOUNT = 0.7  # of a bigram's count, the rest goes to single words
SETTINGS = TextSettings(unit="words", lowercase=False, normalize="NFC", max_vocabulary=200_000)


@dataclass(frozen=True)
class WordTranslation:
    """A dictionary with probabilities, and which target words follow each other.

    Attributes:
        features: the words of both sides.
        words: (source words, K) int64, the most probable translations of each, <unk> where there are fewer.
        logs: (source words, K), log of their probabilities.
        texts: how many there were.
        bigrams: ascending numbers of the bigrams that were seen: first * target words + second.
        counts: of each of them.
    """

    features: TranslatorFeatures
    words: NDArray[np.int64]
    logs: NDArray[np.float64]
    texts: int
    bigrams: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def fit(cls, sources: Sequence[str], targets: Sequence[str]) -> Self:
        """Count and estimate.

        Args:
            sources: texts.
            targets: as many translations.
        """
        step = -(-len(sources) // LARGEST)
        sources, targets = list(sources[::step]), list(targets[::step])
        features = TranslatorFeatures(SETTINGS, SETTINGS, shared=False)
        features.fit(sources, targets)
        examples = features.encode(sources, targets)
        assert examples.targets is not None
        sizes = (len(features.source.vocabulary), len(features.target.vocabulary))
        of_source, of_target = ([row[:-1] for row in of] for of in (examples.source, examples.targets))
        words, logs = _translations(of_source, of_target, *sizes)
        ids, size = examples.targets.ids.astype(np.int64), sizes[1]
        # <eos> of one text stands before the first word of the next: it begins texts too.
        bigrams, counts = np.unique(ids[:-1] * size + ids[1:], return_counts=True)
        return cls(features, words, np.round(logs, 4), len(targets), bigrams, counts)

    def predict(self, sources: Sequence[str]) -> list[str]:
        """Return the translation of each text; a word that is not known stays as it is."""
        return [self._translate(text) for text in sources]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": "word_translation",
            "features": self.features.to_dict(),
            "words": self.words.tolist(),
            "logs": self.logs.tolist(),
            "texts": self.texts,
            "bigrams": np.diff(self.bigrams, prepend=0).tolist(),
            "counts": self.counts.tolist(),
        }

    @classmethod
    def from_dict(cls, saved: Any) -> Self:
        """Return the baseline that `to_dict` described.

        Raises:
            DataError: it described none.
        """
        try:
            features = TranslatorFeatures.from_dict(saved["features"], SETTINGS, SETTINGS, shared=False)
            words, logs = np.array(saved["words"], np.int64), np.array(saved["logs"], np.float64)
            bigrams, counts = np.cumsum(np.array(saved["bigrams"], np.int64)), np.array(saved["counts"], np.int64)
            texts = int(saved["texts"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError(f"the baseline of a translator lacks or garbles {error}") from None
        sizes = (len(features.source.vocabulary), len(features.target.vocabulary))
        shape = (sizes[0], words.shape[-1])
        inside = words.size and words.min() >= 0 and words.max() < sizes[1]
        if words.shape != shape or logs.shape != shape or bigrams.shape != counts.shape or not inside:
            raise DataError("the baseline of a translator has translations of other words than its own")
        return cls(features, words, logs, texts, bigrams, counts)

    def _translate(self, text: str) -> str:
        tokens = self.features.cut(text)
        if not tokens:
            return ""
        ids = self.features.source.vocabulary.encode(tokens)
        choices, scores = self.words[ids], self.logs[ids]  # (T, K)
        best, back = scores[0] + self._following(np.array([EOS]), choices[0])[0], []
        for step in range(1, len(ids)):
            totals = best[:, None] + self._following(choices[step - 1], choices[step])
            back.append(totals.argmax(0))
            best = totals.max(0) + scores[step]
        path = [int(best.argmax())]
        for before in reversed(back):
            path.append(int(before[path[-1]]))
        symbols = [int(choices[step, place]) for step, place in enumerate(reversed(path))]
        return self.features.write(symbols, tokens)

    def _following(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """log P(second | first) of all combinations, interpolated with that of single words: (K, K)."""
        singles = self._singles
        numbers = first[:, None] * len(singles) + second
        places = np.searchsorted(self.bigrams, numbers).clip(max=len(self.bigrams) - 1)
        seen = np.where(self.bigrams[places] == numbers, self.counts[places], 0)
        shares = singles / singles.sum()
        return np.log(DISCOUNT * seen / singles[first][:, None] + (1 - DISCOUNT) * shares[second])

    @cached_property
    def _singles(self) -> NDArray[np.float64]:
        """How often each target word was seen, and one more."""
        counts = self.features.target.vocabulary.counts.astype(np.float64) + 1.0
        counts[EOS] += self.texts
        return counts


def _translations(
    sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], source_size: int, target_size: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """IBM model 1: the K most probable target words of every source word, and log t(target | source).

    Every target word comes from one of the source words or from none (number 0, which no word has).
    """
    lengths = np.array([len(row) for row in sources]) + 1
    heights = np.array([len(row) for row in targets])
    padded = np.concatenate([part for row in sources for part in (np.zeros(1, np.int64), row)]).astype(np.int64)
    said = np.concatenate(targets).astype(np.int64)
    # Every target word beside every source word of its pair: the source words repeat for each target word.
    per_word = np.repeat(lengths, heights)  # (target words of all texts,)
    owner = np.repeat(np.arange(len(said)), per_word)
    starts = np.repeat(np.repeat(np.cumsum(lengths) - lengths, heights), per_word)
    ends = np.cumsum(per_word)
    within = np.arange(len(owner)) - np.repeat(ends - per_word, per_word)
    keys, pair = np.unique(padded[starts + within] * target_size + said[owner], return_inverse=True)
    of_source, of_target = keys // target_size, keys % target_size
    table = np.full(len(keys), 1.0 / target_size)
    first = ends - per_word
    for _ in range(ROUNDS):
        weights = table[pair]
        weights /= np.repeat(np.add.reduceat(weights, first), per_word)
        counts = np.bincount(pair, weights, minlength=len(keys))
        table = counts / np.bincount(of_source, counts, minlength=source_size)[of_source]
    order = np.lexsort((-table, of_source))
    rank = np.arange(len(keys)) - np.searchsorted(of_source[order], of_source[order])
    kept = order[rank < CANDIDATES]
    words = np.full((source_size, CANDIDATES), UNK, np.int64)
    logs = np.full((source_size, CANDIDATES), -50.0)
    logs[:, 0] = 0.0  # of a word that was never seen: it stays as it is
    words[of_source[kept], rank[rank < CANDIDATES]] = of_target[kept]
    logs[of_source[kept], rank[rank < CANDIDATES]] = np.log(np.maximum(table[kept], 1e-20))
    return words, logs
