"""Names that ship inside the package Faker (MIT licence): real data for the demonstration, without a download.

A name that stands in the lists of two classes (Robin, of both sexes; Schmidt, of two languages) has no one right answer
here: it is left out, and the number of such names is reported. Each name occurs once, and its part (train, validation,
test) is decided by a hash of the name itself, so that every machine and every version of the list splits alike.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from seqwise.errors import MissingExtraError

PARTS = ("train", "validation", "test")

# Language -> locale and list of Faker's. Only lists in Latin script that hold whole surnames of one language; lists that
# mix the languages of a country (Switzerland, Belgium, the United States, Kenya) are left out.
SURNAMES: dict[str, tuple[tuple[str, str], ...]] = {
    "Azerbaijani": (("az_AZ", "last_names"),),
    "Chinese": (("zh_CN", "last_romanized_names"), ("zh_TW", "last_romanized_names")),
    "Croatian": (("hr_HR", "last_names"),),
    "Czech": (("cs_CZ", "last_names"),),
    "Danish": (("da_DK", "last_names"),),
    "Dutch": (("nl_NL", "last_names"),),
    "English": (("en_GB", "last_names"),),
    "Estonian": (("et_EE", "last_names_est"),),
    "Finnish": (("fi_FI", "last_names"),),
    "French": (("fr_FR", "last_names"), ("fr_CA", "last_names")),
    "German": (("de_DE", "last_names"), ("de_AT", "last_names")),
    "Hungarian": (("hu_HU", "last_names"),),
    "Indonesian": (("id_ID", "last_names"),),
    "Irish": (("ga_IE", "last_names"),),
    "Italian": (("it_IT", "last_names"),),
    "Japanese": (("ja_JP", "last_romanized_names"),),
    "Latvian": (("lv_LV", "last_names"),),
    "Lithuanian": (("lt_LT", "last_names"),),
    "Norwegian": (("no_NO", "last_names"),),
    "Polish": (("pl_PL", "unisex_last_names"), ("pl_PL", "male_last_names")),
    "Portuguese": (("pt_PT", "last_names"), ("pt_BR", "last_names")),
    "Romanian": (("ro_RO", "last_names"),),
    "Slovak": (("sk_SK", "last_names"),),
    "Slovene": (("sl_SI", "last_names"),),
    "Spanish": (("es_ES", "last_names"), ("es_MX", "last_names")),
    "Swahili": (("sw", "last_names"),),
    "Swedish": (("sv_SE", "last_names"),),
    "Turkish": (("tr_TR", "last_names"),),
    "Twi": (("tw_GH", "last_names"),),
    "Uzbek": (("uz_UZ", "last_names"),),
    "Yoruba": (("yo_NG", "last_names"),),
    "Zulu": (("zu_ZA", "last_names"),),
}


@dataclass(frozen=True)
class NameList:
    """Names with their classes.

    Attributes:
        rows: name to class, in alphabetical order.
        ambiguous: how many names were left out because they belong to two classes.
    """

    rows: Mapping[str, str]
    ambiguous: int

    def part(self, wanted: str) -> dict[str, str]:
        """Return the names of one part: eight in ten train, one validates, one tests."""
        return {name: label for name, label in self.rows.items() if part_of(name) == wanted}


def first_names() -> NameList:
    """Return first names of all of Faker's locales by sex ("female", "male").

    Raises:
        MissingExtraError: Faker is not installed.
    """
    lists = [("male", "first_names_male"), ("female", "first_names_female")]
    return _unambiguous((sex, name) for locale in _locales() for sex, key in lists for name in _names(locale, key))


def surnames() -> NameList:
    """Return surnames by language: a long tail, from thousands of Polish names to a few dozen Lithuanian ones.

    Raises:
        MissingExtraError: Faker is not installed.
    """
    return _unambiguous(
        (language, name)
        for language, lists in SURNAMES.items()
        for locale, key in lists
        for name in _names(locale, key)
    )


def part_of(name: str) -> str:
    """Return "train", "validation" or "test" for a name: the same everywhere, whatever else is in the list."""
    share = int.from_bytes(hashlib.sha256(name.casefold().encode()).digest()[:4]) % 10
    return PARTS[max(0, share - 7)]


def _unambiguous(pairs: Iterator[tuple[str, str]]) -> NameList:
    classes: dict[str, set[str]] = {}
    spelling: dict[str, str] = {}
    for label, name in pairs:
        classes.setdefault(name.casefold(), set()).add(label)
        spelling.setdefault(name.casefold(), name)
    rows = {spelling[key]: next(iter(labels)) for key, labels in sorted(classes.items()) if len(labels) == 1}
    return NameList(rows=rows, ambiguous=len(classes) - len(rows))


def _locales() -> list[str]:
    try:
        import faker.providers.person as person
    except ImportError:
        raise MissingExtraError(
            'the demonstration reads its names from Faker, which is not installed: pip install "seqwise[demo]"'
        ) from None
    return sorted(module.name for module in pkgutil.iter_modules(person.__path__))


def _names(locale: str, key: str) -> list[str]:
    """The names of one of Faker's lists that are written in Latin letters, abbreviations ("Hans-J.") left out."""
    _locales()
    provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
    listed = getattr(provider, key, ())
    if not isinstance(listed, list | tuple | dict | set):  # some locales compute a list when it is asked for
        return []
    names = (unicodedata.normalize("NFC", entry.strip()) for entry in listed if isinstance(entry, str))
    return [name.capitalize() if name.isupper() else name for name in names if len(name) > 1 and _is_latin(name)]


def _is_latin(name: str) -> bool:
    return all(sign in " '\u2019-" or unicodedata.name(sign, "").startswith("LATIN") for sign in name)
