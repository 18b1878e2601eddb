"""Bags of words of a fixed width, without a vocabulary: for streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Self

from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import HashingVectorizer

from seqwise.errors import ConfigurationError
from seqwise.text.bag_of_words import WordNgrams, checked_texts, text_tags
from seqwise.text.chunking import Text, by_size
from seqwise.text.settings import TextSettings


class HashedBagOfWords(TransformerMixin, BaseEstimator):
    """Counts words in columns that are their hashes.

    Nothing is learned: texts that come one after the other, or on several machines, have the same columns. Words that share
    a column are added up; with signs inner products of texts stay right in the mean (Weinberger et al. 2009, "Feature
    hashing for large scale multitask learning"). Which words a column stands for cannot be said.

    Args:
        n_features: columns.
        weighting: "count", or "binary": 1 wherever there is a count; such rows have no signs.
        signed: whether half of the words count -1.
        ngrams: shortest and longest n of the n-grams.
        text: what a word is: `TextSettings`, or a dictionary of its values. The unit "auto" is words.
    """

    def __init__(
        self,
        n_features: int = 2**18,
        *,
        weighting: Literal["binary", "count"] = "count",
        signed: bool = True,
        ngrams: tuple[int, int] = (1, 1),
        text: TextSettings | Mapping[str, Any] | None = None,
    ) -> None:
        self.n_features = n_features
        self.weighting = weighting
        self.signed = signed
        self.ngrams = ngrams
        self.text = text

    def fit(self, X: Any = None, y: Any = None) -> Self:
        """Check the parameters; nothing is learned, and X is not read.

        Args:
            X: not read.
            y: not read.

        Raises:
            ConfigurationError: a parameter is not what it may be.
        """
        self._hashing()
        return self

    def partial_fit(self, X: Any = None, y: Any = None) -> Self:
        """As `fit`."""
        return self.fit(X, y)

    def transform(self, X: Iterable[Text]) -> sparse.csr_matrix:
        """The rows of texts, (n, n_features) float64; X is read once, one by one."""
        return self._hashing().transform(checked_texts(X))

    def stream(self, X: Iterable[Text]) -> Iterator[sparse.csr_matrix]:
        """The rows of texts without end, some thousands at a time: for `partial_fit` of a linear model.

        Args:
            X: texts; read as they are needed.

        Yields:
            (n, n_features) of the next about million characters, and of 8192 texts at most.
        """
        hashing = self._hashing()
        for texts in by_size(checked_texts(X)):
            yield hashing.transform(texts)

    def _hashing(self) -> HashingVectorizer:
        if self.weighting not in ("binary", "count"):
            raise ConfigurationError(f'weighting is "binary" or "count", not {self.weighting!r}')
        if (
            isinstance(self.n_features, bool)
            or not isinstance(self.n_features, int)
            or not 1 <= self.n_features < 2**31
        ):
            raise ConfigurationError(f"n_features is a whole number from 1 to 2**31 - 1, not {self.n_features!r}")
        return HashingVectorizer(
            n_features=self.n_features,
            analyzer=WordNgrams(self.text, self.ngrams),
            alternate_sign=self.signed,
            binary=self.weighting == "binary",
            norm=None,
        )

    def __sklearn_tags__(self) -> Any:
        tags = text_tags(super().__sklearn_tags__())
        tags.requires_fit = False
        return tags
