"""From raw text to numbers: cleaning, tokens, stop words, stems, lemmas, vocabulary, n-gram features."""

from seqwise.text.description import describe_text, explain_text
from seqwise.text.ngrams import NgramFeatures
from seqwise.text.pipeline import TextPipeline
from seqwise.text.ragged import Ragged
from seqwise.text.settings import TextSettings
from seqwise.text.tokenizer import Tokenizer, choose_unit
from seqwise.text.vocabulary import Vocabulary

__all__ = [
    "NgramFeatures",
    "Ragged",
    "TextPipeline",
    "TextSettings",
    "Tokenizer",
    "Vocabulary",
    "choose_unit",
    "describe_text",
    "explain_text",
]
