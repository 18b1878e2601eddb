"""The texts of a corpus as the text pipeline of a model reads them: cleaned, and the words that it makes of them."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import seqwise.text
from seqwise.errors import ConfigurationError
from seqwise.text import TextSettings, Tokenizer

UNUSED = ("max_length", "keep", "max_vocabulary", "min_count", "end_mark")
"""Settings of texts that are about the rows and the vocabulary of a model, not about words."""
_UNITS = ("words", "whitespace", "tokens")
_LIBRARIES = ("regex", "simplemma", "snowballstemmer", "stopwordsiso")


class TextCleaner:
    """Blocks of text -> the words of every line, separated by spaces; a line stays a line.

    Args:
        settings: of the texts of a model, all but `UNUSED`. The unit "auto" is "words".

    Raises:
        ConfigurationError: the unit is none of words; or as for `Tokenizer`.
        MissingExtraError: a library for stop words, lemmas or stems is not installed.

    Attributes:
        settings: with the unit decided.
    """

    def __init__(self, settings: TextSettings) -> None:
        if settings.unit == "auto":
            settings = settings.model_copy(update={"unit": "words"})
        if settings.unit not in _UNITS:
            raise ConfigurationError(f"text.unit is {settings.unit!r}; vectors are of {', '.join(_UNITS)}")
        self.settings = settings
        self._tokenizer = Tokenizer(settings)

    def __call__(self, block: str) -> str:
        """The cleaned block."""
        return "\n".join([" ".join(self._tokenizer(line)) for line in block.split("\n")])

    @property
    def name(self) -> str:
        """One line that says what is done."""
        settings = self.settings
        done = [f"unit {settings.unit}", f"clean {', '.join(settings.clean) or 'nothing'}"]
        done += ["lower case"] if settings.lowercase else ["case kept"]
        done += [] if settings.normalize == "none" else [settings.normalize]
        done += [] if settings.punctuation else ["no punctuation"]
        if settings.stop_words:
            done.append(f"without stop words {_listed(settings.stop_words)} but {_listed(settings.keep_words)}")
        done += [f"lemmas {settings.lemmas}"] if settings.lemmas else []
        done += [f"stems {settings.stems}"] if settings.stems else []
        return "; ".join(done)

    @property
    def identity(self) -> str:
        """A text that is another one for whatever may give other words: settings, code, data of libraries."""
        return json.dumps([self.settings.model_dump(mode="json", exclude=set(UNUSED)), _code()])


def _listed(words: str | tuple[str, ...]) -> str:
    return words if isinstance(words, str) else " ".join(words) or "none"


@cache
def _code() -> list[str]:
    digest = hashlib.sha256()
    for path in sorted(Path(seqwise.text.__file__).parent.glob("*.*")):
        digest.update(path.read_bytes())
    versions = []
    for name in _LIBRARIES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} none")
    return [digest.hexdigest(), *versions]
