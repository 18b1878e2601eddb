"""Texts as sequences of one-hot rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from seqwise.errors import DataError
from seqwise.text.bag_of_words import checked_texts, settings_of, text_tags
from seqwise.text.chunking import Text
from seqwise.text.pipeline import TextPipeline
from seqwise.text.settings import TextSettings
from seqwise.text.vocabulary import PAD


class OneHotWords(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """A text becomes a sparse matrix with a row a token, and a single 1 in the column of that token.

    The columns are <pad>, <unk>, <eos>, then the tokens by falling count. The settings say how many there are
    (`max_vocabulary`, `min_count`), how long a text may be (`max_length`, and with `keep` which end stays), and whether it
    ends in <eos> (`end_mark`). A token without a column is <unk>, and so is a text without tokens.

    Args:
        text: `TextSettings`, or a dictionary of its values. Characters, given tokens and sub-words are tokens too; the unit
            "auto" is decided by the texts.

    Attributes:
        pipeline_: what makes the ids.
    """

    def __init__(self, text: TextSettings | Mapping[str, Any] | None = None) -> None:
        self.text = text

    def fit(self, X: Iterable[Text], y: Any = None) -> Self:
        """Learn the vocabulary.

        Args:
            X: texts.
            y: not read.

        Raises:
            ConfigurationError: `text` is not what it may be.
            DataError: X holds something else than texts.
        """
        self.pipeline_ = TextPipeline(settings_of(self.text, decided=False)).fit(checked_texts(X))
        return self

    def transform(self, X: Iterable[Text]) -> list[sparse.csr_matrix]:
        """For every text a (T, V) float32 matrix, T its length."""
        check_is_fitted(self, "pipeline_")
        rows = self.pipeline_.encode(checked_texts(X))
        size = len(rows.ids)
        shape = (size, len(self.pipeline_.vocabulary))
        whole = sparse.csr_matrix((np.ones(size, np.float32), rows.ids, np.arange(size + 1)), shape=shape)
        return [whole[start:end] for start, end in zip(rows.offsets[:-1], rows.offsets[1:], strict=True)]

    def ids(self, X: Iterable[Text]) -> NDArray[np.int32]:
        """(n, T) the columns of the tokens, T the longest length; behind a shorter text stands 0, <pad>."""
        check_is_fitted(self, "pipeline_")
        return self.pipeline_.encode(checked_texts(X)).padded(PAD)

    def inverse_transform(self, X: Iterable[Any]) -> list[list[str]]:
        """The tokens of each matrix of `transform`, or row of `ids` (without <pad>).

        Raises:
            DataError: a matrix has another number of columns.
        """
        check_is_fitted(self, "pipeline_")
        return [self._tokens(row) for row in X]

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """(V,) the token of every column.

        Args:
            input_features: not read.
        """
        check_is_fitted(self, "pipeline_")
        return np.array(self.pipeline_.vocabulary.tokens, dtype=object)

    def _tokens(self, row: Any) -> list[str]:
        vocabulary = self.pipeline_.vocabulary
        if np.ndim(row) == 2 or sparse.issparse(row):
            if row.shape[1] != len(vocabulary):
                raise DataError(f"a one-hot row has {len(vocabulary)} columns, not {row.shape[1]}")
            return vocabulary.decode(np.asarray(row.argmax(axis=1)).ravel())
        return vocabulary.decode(number for number in row if number != PAD)

    def __sklearn_tags__(self) -> Any:
        return text_tags(super().__sklearn_tags__())
