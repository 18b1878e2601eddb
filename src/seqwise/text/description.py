"""What is made of a text, said step by step."""

from __future__ import annotations

from typing import Any

from seqwise.text.settings import TextSettings
from seqwise.text.subwords import Subwords
from seqwise.text.tokenizer import Tokenizer
from seqwise.text.word_forms import WordForms


def describe_text(text: str, settings: TextSettings, subwords: Subwords | None = None) -> dict[str, Any]:
    """Say what is made of a text.

    Args:
        text: any.
        settings: with the unit "auto" the tokens are words.
        subwords: learned, for the units "bpe" and "unigram".

    Returns:
        `text`; `steps`: name and text of every step that changed it; `tokens`; `spans`: for every token from where to before
        where it stands in the text as given. With stop words, lemmas or stems also `words`: name and tokens of each of them
        that changed something, "words" first; and `notes`, see `explain_text`.
    """
    if settings.unit == "auto":
        settings = settings.model_copy(update={"unit": "words"})
    tokenizer, steps, before = Tokenizer(settings, subwords), [], text
    for name, after in tokenizer.trace(text):
        if after != before:
            steps.append({"name": name, "text": after})
        before = after
    spans = tokenizer.spans(text)
    described: dict[str, Any] = {
        "text": text,
        "steps": steps,
        "tokens": [token for token, _, _ in spans],
        "spans": [[start, end] for _, start, end in spans],
    }
    if settings.has_forms:
        described["words"] = _word_steps(text, settings)
        described["notes"] = explain_text(settings)
    return described


def explain_text(settings: TextSettings) -> list[str]:
    """Sentences on what is lost of the texts and what stays on purpose; none if no word is dropped.

    Args:
        settings: any.
    """
    if not settings.stop_words:
        return []
    forms = WordForms(settings.stop_words, settings.keep_words)
    named = f"of language {settings.stop_words}" if isinstance(settings.stop_words, str) else "as listed"
    dropped = f"Stop words {named} are dropped, {sum(map(forms.is_dropped, forms.dropped)):,} of them"
    if isinstance(settings.keep_words, str) and isinstance(settings.stop_words, str):
        contractions = ", every word in n't" if settings.stop_words == "en" else ""
        some = [word for word in ("not", "no", "never") if word in forms.kept] or sorted(forms.kept)[:3]
        judgements = " and words that judge (good, but, unfortunately)" if settings.keep_words == "sentiment" else ""
        return [f"{dropped}; negations ({', '.join(some)}{contractions}){judgements} stay (text.keep_words)."]
    if forms.kept:
        return [f"{dropped}; {len(forms.kept)} words of text.keep_words stay."]
    return [
        f"{dropped}; negations too" + (" (text.keep_words is empty)." if not settings.keep_words else ", if listed.")
    ]


def _word_steps(text: str, settings: TextSettings) -> list[dict[str, Any]]:
    before = Tokenizer(settings.model_copy(update={"stop_words": None, "lemmas": None, "stems": None}))(text)
    shown = [{"name": "words", "tokens": before}]
    stop_words, keep_words, lemmas = settings.stop_words, settings.keep_words, settings.lemmas
    for name, forms in (
        ("stop words", WordForms(stop_words, keep_words)),
        ("lemmas", WordForms(stop_words, keep_words, lemmas)),
        ("stems", WordForms(stop_words, keep_words, lemmas, settings.stems)),
    ):
        after = forms(shown[0]["tokens"])
        if after != before:
            shown.append({"name": name, "tokens": after})
        before = after
    return shown
