"""Texts as bags of words: scikit-learn transformers to sparse rows of counts or weights.

N texts, df of them with a word; a text of L words, c of them the word. Besides 1 and c there are three forms of tf-idf, all
of them known by that name:

* "tfidf-relative": c / L x log2(N / df). The share of the word in the text, as textbooks have it.
* "tfidf-raw": c x ln(N / df). The weight of Spärck Jones (1972) times the count (Salton and Yang 1973).
* "tfidf-smooth": c x (ln((1 + N) / (1 + df)) + 1), every row scaled to Euclidean length 1. The default of scikit-learn; a
  word that is in every text still counts.

L counts every word of the text, those without a column too. With n-grams "word" is every n-gram.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted

from seqwise.errors import ConfigurationError, DataError
from seqwise.text.chunking import Text
from seqwise.text.settings import TextSettings
from seqwise.text.tokenizer import Tokenizer

Weighting = Literal["binary", "count", "tfidf-relative", "tfidf-raw", "tfidf-smooth"]


class BagOfWords(TransformerMixin, BaseEstimator):
    """Counts the words of texts, or weights them; a column a word (or n-gram).

    Args:
        weighting: "binary", "count", "tfidf-relative", "tfidf-raw" or "tfidf-smooth"; the module has the formulas.
        ngrams: shortest and longest n of the n-grams; the words of one have a space between.
        min_df: a word in fewer texts has no column; a fraction is of the texts.
        max_df: a word in more texts has none; a fraction is of the texts.
        max_features: how many columns at most, by falling count; None keeps all.
        text: what a word is: `TextSettings`, or a dictionary of its values
            (`{"preset": "tweets"}`); the unit "auto" is words.

    Attributes:
        vocabulary_: column of every word, in the order of the words.
        document_frequencies_: (V,) in how many texts of the training each word was.
        documents_: N.
        idf_: (V,) of the weighting; ones for "binary" and "count".
    """

    def __init__(
        self,
        weighting: Weighting = "count",
        *,
        ngrams: tuple[int, int] = (1, 1),
        min_df: float = 1,
        max_df: float = 1.0,
        max_features: int | None = None,
        text: TextSettings | Mapping[str, Any] | None = None,
    ) -> None:
        self.weighting = weighting
        self.ngrams = ngrams
        self.min_df = min_df
        self.max_df = max_df
        self.max_features = max_features
        self.text = text

    def fit(self, X: Iterable[Text], y: Any = None) -> Self:
        """Learn columns and document frequencies.

        Args:
            X: texts (with the unit "tokens" also lists of tokens); read once.
            y: not read.

        Raises:
            ConfigurationError: a parameter is not what it may be.
            DataError: X holds something else than texts, or no word is left.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Iterable[Text], y: Any = None) -> sparse.csr_matrix:
        """`fit` and `transform` of the same texts, tokenising once."""
        if self.weighting not in get_args(Weighting):
            raise ConfigurationError(f"weighting is one of {', '.join(get_args(Weighting))}, not {self.weighting!r}")
        limits = {"min_df": self.min_df, "max_df": self.max_df, "max_features": self.max_features}
        counts, lengths, self.vocabulary_ = self._counted(X, **limits)
        counts.sort_indices()
        self.documents_ = counts.shape[0]
        self.document_frequencies_ = np.bincount(counts.indices, minlength=counts.shape[1])
        self.idf_ = self._idf()
        return self._weighted(counts, lengths)

    def transform(self, X: Iterable[Text]) -> sparse.csr_matrix:
        """The rows of texts, (n, V): int64 of "binary" and "count", float64 of the others.

        Args:
            X: texts; read once, one by one. A word that has no column is left out.
        """
        check_is_fitted(self, "vocabulary_")
        counts, lengths, _ = self._counted(X, vocabulary=self.vocabulary_)
        return self._weighted(counts, lengths)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """(V,) the word of every column.

        Args:
            input_features: not read.
        """
        check_is_fitted(self, "vocabulary_")
        return np.array(list(self.vocabulary_), dtype=object)

    def _counted(self, texts: Iterable[Text], **options: Any) -> tuple[Any, NDArray[np.float64], dict[str, int]]:
        grams_of = WordNgrams(self.text, self.ngrams)
        lengths: list[int] = []

        def analyzed(text: Text) -> list[str]:
            grams = grams_of(text)
            lengths.append(len(grams))
            return grams

        counter = CountVectorizer(analyzer=analyzed, **options)
        try:
            if "vocabulary" in options:
                return counter.transform(checked_texts(texts)), np.array(lengths, float), options["vocabulary"]
            counts = counter.fit_transform(checked_texts(texts))
        except (DataError, ConfigurationError):
            raise
        except ValueError as error:  # of scikit-learn: nothing is left, or a limit makes no sense
            raise DataError(f"bag of words: {error}") from None
        columns = {word: int(column) for word, column in sorted(counter.vocabulary_.items())}
        return counts, np.array(lengths, float), columns

    def _idf(self) -> NDArray[np.float64]:
        documents, frequencies = self.documents_, self.document_frequencies_
        match self.weighting:
            case "tfidf-relative":
                return np.log2(documents / frequencies)
            case "tfidf-raw":
                return np.log(documents / frequencies)
            case "tfidf-smooth":
                return np.log((1 + documents) / (1 + frequencies)) + 1
        return np.ones(len(frequencies))

    def _weighted(self, counts: Any, lengths: NDArray[np.float64]) -> sparse.csr_matrix:
        if self.weighting == "binary":
            counts.data.fill(1)
        if not self.weighting.startswith("tfidf"):
            return counts
        counts = counts.astype(np.float64)
        counts.data *= self.idf_[counts.indices]
        if self.weighting == "tfidf-relative":
            counts.data /= np.repeat(lengths, np.diff(counts.indptr))
        return normalize(counts, copy=False) if self.weighting == "tfidf-smooth" else counts

    def __sklearn_tags__(self) -> Any:
        return text_tags(super().__sklearn_tags__())


class WordNgrams:
    """The n-grams of the words of a text.

    Args:
        text: settings, their values, or None.
        ngrams: shortest and longest n.

    Raises:
        ConfigurationError: one of them is not what it may be.
    """

    def __init__(self, text: TextSettings | Mapping[str, Any] | None, ngrams: tuple[int, int] = (1, 1)) -> None:
        if not (len(ngrams) == 2 and 1 <= ngrams[0] <= ngrams[1]):
            raise ConfigurationError(f"ngrams is (shortest, longest) with 1 <= shortest <= longest, not {ngrams}")
        self._sizes = range(ngrams[0], ngrams[1] + 1)
        self._tokenizer = Tokenizer(settings_of(text))

    def __call__(self, text: Text) -> list[str]:
        """All of a text, the shorter ones first."""
        words = self._tokenizer(text)
        if self._sizes == range(1, 2):
            return words
        return [" ".join(words[i : i + n]) for n in self._sizes for i in range(len(words) - n + 1)]


def settings_of(text: TextSettings | Mapping[str, Any] | None, *, decided: bool = True) -> TextSettings:
    """The settings that a parameter `text` stands for.

    Args:
        text: settings, or a dictionary of their values, or None for the defaults.
        decided: whether the unit "auto" is to be "words".

    Raises:
        ConfigurationError: the values are not those of settings.
    """
    try:
        settings = text if isinstance(text, TextSettings) else TextSettings(**(text or {}))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"text: {error}") from None
    return settings.model_copy(update={"unit": "words"}) if decided and settings.unit == "auto" else settings


def checked_texts(texts: Iterable[Text]) -> Iterable[Text]:
    """The texts, unless they are one.

    Raises:
        DataError: a single text stands where several are expected.
    """
    if isinstance(texts, str) or not isinstance(texts, Iterable | Sequence):
        raise DataError(f"an iterable of texts is expected, not {type(texts).__name__}")
    return texts


def text_tags(tags: Any) -> Any:
    """scikit-learn's tags of what reads texts instead of a matrix, and answers with sparse rows."""
    tags.input_tags.string, tags.input_tags.two_d_array = True, False
    return tags
