"""Sub-words learned from the training texts: byte-pair encoding (Sennrich et al. 2016), unigram (Kudo 2018).

The learning and the cutting are those of the optional library `tokenizers`. A sub-word that begins a word begins with "▁";
joined, and "▁" read as a space, the sub-words of a text are the text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from seqwise.errors import ConfigurationError, DataError
from seqwise.text.word_forms import optional

_UNKNOWN, _BEGIN = "<unk>", "▁"


class Subwords:
    """A learned way to cut texts into sub-words.

    Args:
        description: what `to_json` returned.

    Raises:
        DataError: it describes nothing of the kind.
        MissingExtraError: `tokenizers` is not installed.
    """

    def __init__(self, description: str) -> None:
        library = optional("tokenizers")
        try:
            self._model: Any = library.Tokenizer.from_str(description)
        except Exception as error:  # the library raises Exception itself
            raise DataError(f"sub-words: not a description of them: {error}") from None
        self._unknown = self._model.token_to_id(_UNKNOWN)

    @classmethod
    def learn(cls, texts: Iterable[str], kind: Literal["bpe", "unigram"], size: int, min_count: int = 1) -> Subwords:
        """Learns from texts with single spaces.

        The same texts give the same sub-words with "bpe". With "unigram" the library goes through the words in an order that
        differs from run to run: the likelihoods differ in the fourth digit, and of equally good sub-words another may stay.

        Args:
            texts: cleaned; read once.
            kind: "bpe" joins the most frequent pairs; "unigram" takes away what a likelihood misses least.
            size: how many sub-words at most, single characters included.
            min_count: for "bpe", how often a pair must be seen to be joined.

        Raises:
            ConfigurationError: the size is too small for "unigram", which needs every character of the texts.
            MissingExtraError: `tokenizers` is not installed.
        """
        library = optional("tokenizers")
        common: dict[str, Any] = {"vocab_size": size, "special_tokens": [_UNKNOWN], "show_progress": False}
        if kind == "bpe":
            model = library.Tokenizer(library.models.BPE(unk_token=_UNKNOWN))
            trainer = library.trainers.BpeTrainer(min_frequency=min_count, limit_alphabet=1000, **common)
        else:
            model = library.Tokenizer(library.models.Unigram())
            trainer = library.trainers.UnigramTrainer(unk_token=_UNKNOWN, **common)
        model.pre_tokenizer = library.pre_tokenizers.Metaspace(replacement=_BEGIN, prepend_scheme="always")
        try:
            model.train_from_iterator((text for text in texts if text), trainer)
        except Exception as error:  # the library raises Exception itself
            if "not large enough" not in str(error):
                raise
            raise ConfigurationError(
                f"text.max_vocabulary: {size} sub-words are fewer than the texts have different characters"
            ) from None
        return cls(model.to_str())

    def __call__(self, text: str) -> list[str]:
        """The sub-words of one text; what has none is "<unk>"."""
        return [token for token, _, _ in self.spans(text)]

    def spans(self, text: str) -> list[tuple[str, int, int]]:
        """The sub-words of one text, each with the place in it: from, and to before."""
        if not text:
            return []
        encoded = self._model.encode(text)
        return [
            (token if number != self._unknown else _UNKNOWN, start, end)
            for token, number, (start, end) in zip(encoded.tokens, encoded.ids, encoded.offsets, strict=True)
        ]

    def __len__(self) -> int:
        return self._model.get_vocab_size()

    def to_json(self) -> str:
        """Everything, as the library writes it."""
        return self._model.to_str()
