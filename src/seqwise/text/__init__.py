"""From raw text to numbers: cleaning, tokens, stop words, stems, lemmas, vocabulary, n-gram features, bags of words."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seqwise.text.description import describe_text, explain_text
from seqwise.text.ngrams import NgramFeatures
from seqwise.text.pipeline import TextPipeline
from seqwise.text.ragged import Ragged
from seqwise.text.settings import TextSettings
from seqwise.text.tokenizer import Tokenizer, choose_unit
from seqwise.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from seqwise.text.bag_of_words import BagOfWords
    from seqwise.text.hashed_words import HashedBagOfWords
    from seqwise.text.one_hot import OneHotWords

# Name -> module that defines it: scikit-learn is not needed to read a text, and takes longer to import than that takes.
_HOMES = {"BagOfWords": "bag_of_words", "HashedBagOfWords": "hashed_words", "OneHotWords": "one_hot"}

__all__ = [
    "BagOfWords",
    "HashedBagOfWords",
    "NgramFeatures",
    "OneHotWords",
    "Ragged",
    "TextPipeline",
    "TextSettings",
    "Tokenizer",
    "Vocabulary",
    "choose_unit",
    "describe_text",
    "explain_text",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seqwise.text' has no attribute {name!r}")
    return getattr(import_module(f"seqwise.text.{_HOMES[name]}"), name)
