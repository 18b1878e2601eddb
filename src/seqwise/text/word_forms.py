"""Stop words, lemmas and stems: which tokens stay, and in which form.

Three optional libraries (`pip install 'seqwise[text]'`) with their data inside: nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Literal

import regex

from seqwise.errors import ConfigurationError, MissingExtraError, nearest

NEGATIONS: dict[str, tuple[str, ...]] = {
    "da": ("aldrig", "hverken", "ikke", "ingen", "intet", "nej", "uden"),
    "de": (
        *("kein", "keine", "keinem", "keinen", "keiner", "keines", "keineswegs", "nein", "nicht", "nichts", "nie"),
        *("niemals", "niemand", "niemandem", "niemanden", "nirgends", "ohne", "weder"),
    ),
    "en": (
        *("barely", "cannot", "hardly", "neither", "never", "no", "nobody", "non", "none", "nor", "not", "nothing"),
        *("nowhere", "scarcely", "without"),
        *("aint", "arent", "cant", "couldnt", "didnt", "doesnt", "dont", "hadnt", "hasnt", "havent", "isnt", "mustnt"),
        *("neednt", "shouldnt", "wasnt", "werent", "wont", "wouldnt"),  # with an apostrophe: every word in n't
    ),
    "es": ("jamás", "nada", "nadie", "ni", "ninguna", "ninguno", "ningún", "no", "nunca", "sin", "tampoco"),
    "fr": ("aucun", "aucune", "jamais", "ne", "ni", "non", "nul", "nulle", "pas", "personne", "rien", "sans"),
    "it": ("mai", "nemmeno", "neppure", "nessun", "nessuna", "nessuno", "niente", "no", "non", "nulla", "né", "senza"),
    "nl": ("geen", "nee", "nergens", "niemand", "niet", "niets", "noch", "nooit", "zonder"),
    "no": ("aldri", "ikke", "ingen", "ingenting", "intet", "nei", "uten", "verken"),
    "pl": ("ani", "bez", "brak", "nic", "nie", "nigdy", "nigdzie", "nikt", "żaden", "żadna", "żadne"),
    "pt": ("jamais", "nada", "nem", "nenhum", "nenhuma", "ninguém", "nunca", "não", "sem"),
    "ru": ("без", "не", "нет", "ни", "никак", "никогда", "никто", "нигде", "ничего", "ничто", "нельзя"),
    "sv": ("aldrig", "icke", "ingen", "inget", "inte", "nej", "utan", "varken"),
}
"""Words that turn what is said into its opposite, by language: they stay among stop words unless somebody says otherwise."""

JUDGEMENTS: dict[str, tuple[str, ...]] = {
    "en": (
        *(
            "appreciate",
            "appropriate",
            "awfully",
            "best",
            "better",
            "dear",
            "doubtful",
            "empty",
            "good",
            "great",
            "greater",
        ),
        *("greatest", "hell", "help", "hopefully", "ill", "important", "interest", "interested", "interesting", "like"),
        *("liked", "miss", "ok", "okay", "please", "poorly", "problem", "problems", "promptly", "proud", "sensible"),
        *("serious", "seriously", "sincere", "sorry", "successfully", "thank", "thanks", "thanx", "unfortunately"),
        *("useful", "usefully", "usefulness", "welcome", "well", "wonder"),
        *(
            "although",
            "but",
            "despite",
            "enough",
            "however",
            "least",
            "less",
            "though",
            "too",
            "very",
        ),  # and what weighs
    ),
}
"""Words among the stop words of a language that say what somebody thinks of something."""

# ISO 639-1 codes of the stemmers' languages.
_STEMMERS = {
    "ar": "arabic", "hy": "armenian", "eu": "basque", "ca": "catalan", "cs": "czech", "da": "danish", "nl": "dutch",
    "en": "english", "eo": "esperanto", "et": "estonian", "fi": "finnish", "fr": "french", "de": "german", "el": "greek",
    "hi": "hindi", "hu": "hungarian", "id": "indonesian", "ga": "irish", "it": "italian", "lt": "lithuanian",
    "ne": "nepali", "no": "norwegian", "fa": "persian", "pl": "polish", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sr": "serbian", "st": "sesotho", "es": "spanish", "sv": "swedish", "ta": "tamil", "tr": "turkish",
    "yi": "yiddish",
}  # fmt: skip
_WORD = regex.compile(r"[\p{L}\p{M}']+")
_REMEMBERED = 500_000  # different tokens

KeepWords = Literal["negation", "sentiment"] | Sequence[str]


class WordForms:
    """Drops stop words and gives the others their lemma and their stem, in this order.

    Lemmas and stems are of what consists of letters (and apostrophes) alone: never of an emoticon, an @name, a URL or a
    number; negations have no lemma but themselves. Case does not matter for stop words.

    Args:
        stop_words: a language (ISO 639-1: "en"), whose words are those of stopwordsiso; or the words; or None.
        keep_words: words that stay although they are stop words; "negation" stands for `NEGATIONS` of the language and,
            in English, for every word in n't; "sentiment" for these and `JUDGEMENTS`.
        lemmas: a language of simplemma, or None.
        stems: a language of snowballstemmer, or the name of an algorithm ("porter"), or None.

    Raises:
        ConfigurationError: a library has no such language, or there is no list of its negations or judgements.
        MissingExtraError: a library is not installed.
    """

    def __init__(
        self,
        stop_words: str | Sequence[str] | None = None,
        keep_words: KeepWords = "negation",
        lemmas: str | None = None,
        stems: str | None = None,
    ) -> None:
        listed = frozenset(_stop_words(stop_words))
        self.kept = _kept(stop_words, keep_words)
        self.dropped = listed - self.kept
        self._contractions = isinstance(keep_words, str) and stop_words == "en"
        self._lemma, self._stem = _lemmatizer(lemmas), _stemmer(stems)
        self._own_lemmas = frozenset(NEGATIONS.get(lemmas or "", ()))  # a dictionary has don't as a form of do
        self._remembered: dict[str, str | None] = {}

    def __call__(self, tokens: Iterable[str]) -> list[str]:
        """The tokens that stay, in their forms."""
        forms = map(self.form, tokens)
        return [form for form in forms if form is not None]

    def form(self, token: str) -> str | None:
        """The form of one token, or None if it is dropped."""
        try:
            return self._remembered[token]
        except KeyError:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            form = self._remembered[token] = self._formed(token)
            return form

    def is_dropped(self, token: str) -> bool:
        """Whether it is a stop word that does not stay."""
        word = token.lower()
        return word in self.dropped and not (self._contractions and word.endswith("n't"))

    def _formed(self, token: str) -> str | None:
        if self.is_dropped(token):
            return None
        if not _WORD.fullmatch(token) or token == "'":
            return token
        negates = token.lower() in self._own_lemmas or token.lower().endswith("n't")
        form = token if negates else self._lemma(token)
        if token.islower():
            form = form.lower()  # the lemmas of German nouns begin with a capital
        return self._stem(form) or form


def optional(module: str) -> Any:
    """An optional library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        raise MissingExtraError(f"{module} is not installed: pip install 'seqwise[text]'") from None


def _stop_words(named: str | Sequence[str] | None) -> Iterable[str]:
    if named is None:
        return ()
    if not isinstance(named, str):
        return map(str.lower, named)
    library = optional("stopwordsiso")
    if not library.has_lang(named):
        raise ConfigurationError(
            f"text.stop_words: there are none of language {named!r}; the languages are {', '.join(sorted(library.langs()))}"
        )
    return map(str.lower, library.stopwords(named))


def _kept(stop_words: str | Sequence[str] | None, keep_words: KeepWords) -> frozenset[str]:
    if not isinstance(keep_words, str):
        return frozenset(map(str.lower, keep_words))
    if keep_words not in ("negation", "sentiment"):
        raise ConfigurationError(f'text.keep_words is "negation", "sentiment" or a list of words, not {keep_words!r}')
    if not isinstance(stop_words, str):
        return frozenset()  # nobody lists "not" as a stop word without meaning it
    if stop_words not in NEGATIONS:
        raise ConfigurationError(
            f"text.keep_words: there is no list of negations of language {stop_words!r}; list what must stay, or []"
        )
    if keep_words == "negation":
        return frozenset(NEGATIONS[stop_words])
    if stop_words not in JUDGEMENTS:
        raise ConfigurationError(
            f"text.keep_words: there is no list of words that judge of language {stop_words!r}; "
            "list what must stay, or set negation"
        )
    return frozenset(NEGATIONS[stop_words]).union(JUDGEMENTS[stop_words])


def _lemmatizer(language: str | None) -> Callable[[str], str]:
    if language is None:
        return str
    lemmatize = optional("simplemma").lemmatize
    try:
        lemmatize("a", lang=language)
    except ValueError:
        known = import_module("simplemma.strategies.dictionaries.dictionary_factory").SUPPORTED_LANGUAGES
        raise ConfigurationError(
            f"text.lemmas: there are none of language {language!r}; the languages are {', '.join(sorted(known))}"
        ) from None
    return partial(lemmatize, lang=language)


def _stemmer(name: str | None) -> Callable[[str], str]:
    if name is None:
        return str
    library = optional("snowballstemmer")
    algorithm = _STEMMERS.get(name, name)
    if algorithm not in library.algorithms():
        raise ConfigurationError(
            f"text.stems: there is no stemmer {name!r}; {nearest(name, [*library.algorithms(), *_STEMMERS])}"
        )
    return library.stemmer(algorithm).stemWord
