"""Sentences with a tag for each token, from lists, from strings of words, or from texts with marked spans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from seqwise.data.parquet import ParquetTable
from seqwise.data.tables import Table
from seqwise.errors import DataError
from seqwise.text.tag_schemes import Span, write_spans

Placed = tuple[str, int, int]
TEXT_COLUMNS = ("tokens", "words", "text", "data")
TAG_COLUMNS = ("tags", "ner_tags", "spans", "upos", "label", "annotations")


@dataclass(frozen=True)
class TaggedSentences:
    """Sentences and their tags.

    Attributes:
        tokens: of every sentence.
        tags: as many of each.
        rows: number of each sentence in its table, from 0.
        empty: rows without a token, which are left out.
        moved: marked spans whose ends were no ends of tokens; they were widened to whole tokens.
    """

    tokens: list[list[str]] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    empty: int = 0
    moved: int = 0

    def __len__(self) -> int:
        return len(self.tokens)

    def take(self, numbers: Sequence[int]) -> TaggedSentences:
        """These sentences; what was left out or moved is counted as before."""
        tokens, tags = ([part[i] for i in numbers] for part in (self.tokens, self.tags))
        return TaggedSentences(tokens, tags, [self.rows[i] for i in numbers], self.empty, self.moved)


def find_columns(table: Table, text: str | None, label: str | None) -> tuple[str, str]:
    """The columns of the tokens and of their tags: those named, or those with a usual name.

    Raises:
        DataError: there is none; names the columns that there are.
    """
    found = []
    for named, usual, what in ((text, TEXT_COLUMNS, "tokens"), (label, TAG_COLUMNS, "tags")):
        chosen = named or next((name for name in usual if name in table.columns), usual[0])
        table.require(chosen, f"column of the {what}")
        found.append(chosen)
    return found[0], found[1]


def read_tagged(table: Table, text: str, label: str, split: Callable[[str], Iterable[Placed]]) -> TaggedSentences:
    """Read sentences with their tags.

    Tokens are lists, or one string with white space between them; so are tags. Where tags are lists of objects with `start`,
    `end` and `label` (Prodigy, Label Studio), these are places in the text, which is then split into tokens, and the tags
    are of the scheme BIO.

    Args:
        table: with a sentence a row.
        text: column of the tokens, or of the texts.
        label: column of the tags, or of the marked spans.
        split: text -> its tokens, each with where it stands in the text: from, and to before.

    Raises:
        DataError: tokens and tags of different number, or something that is neither; names the row.
    """
    names = table.class_names().get(label) if isinstance(table, ParquetTable) else None
    result, empty, moved, number = TaggedSentences(), 0, 0, 0
    for chunk in table.iter_chunks(columns=[text, label]):
        for words, tags in zip(chunk[text], chunk[label], strict=True):
            try:
                words, tags = _unwrapped(words, tags)
                if isinstance(words, str) and _are_marks(tags):
                    tokens, written, some = place_spans(words, tags, split)
                    moved += some
                else:
                    tokens, written = _listed(words, "tokens", None), _listed(tags, "tags", names)
            except DataError as error:
                raise DataError(f"{table.name}, {table.place(number)}: {error}") from None
            if len(tokens) != len(written):
                raise DataError(
                    f"{table.name}, {table.place(number)}: {len(tokens)} tokens in {text!r} and {len(written)} tags in "
                    f"{label!r}; every token has one tag"
                )
            if tokens:
                result.tokens.append(tokens)
                result.tags.append(written)
                result.rows.append(number)
            else:
                empty += 1
            number += 1
    if not result.tokens:
        raise DataError(f"{table.name}: there is no sentence with a token in column {text!r}")
    return TaggedSentences(result.tokens, result.tags, result.rows, empty, moved)


def place_spans(
    text: str, marks: Sequence[dict[str, Any]], split: Callable[[str], Iterable[Placed]]
) -> tuple[list[str], list[str], int]:
    """Tokens and BIO tags of a text with marked spans, and how many of these had to be widened to whole tokens.

    Args:
        text: as a person sees it.
        marks: objects with `start`, `end` (behind the last character) and `label`.
        split: as for `read_tagged`.

    Raises:
        DataError: a mark lies outside the text, covers no token, or overlaps another.
    """
    placed = list(split(text))
    spans, moved = [], 0
    for mark in marks:
        start, end, kind = _mark(mark, len(text))
        inside = [i for i, (_, begin, stop) in enumerate(placed) if begin < end and stop > start]
        if not inside:
            raise DataError(f"the span {kind} from {start} to {end} holds no token")
        moved += placed[inside[0]][1] != start or placed[inside[-1]][2] != end
        spans.append(Span(kind, inside[0], inside[-1] + 1))
    return [text[begin:stop] for _, begin, stop in placed], write_spans(spans, len(placed), "BIO"), moved


def _unwrapped(words: Any, tags: Any) -> tuple[Any, Any]:
    """Text and marks of what Label Studio exports: the text is in an object, the marks are in the first annotation."""
    if isinstance(words, dict) and isinstance(words.get("text"), str):
        words = words["text"]
    if isinstance(tags, list) and tags and isinstance(tags[0], dict) and isinstance(tags[0].get("result"), list):
        tags = [mark for mark in tags[0]["result"] if isinstance(mark, dict) and mark.get("type", "labels") == "labels"]
    return words, tags


def _are_marks(tags: Any) -> bool:
    return isinstance(tags, list) and all(isinstance(tag, dict) for tag in tags)


def _mark(mark: dict[str, Any], length: int) -> tuple[int, int, str]:
    values = mark.get("value", mark)  # Label Studio puts a layer between
    kinds = values.get("label", values.get("labels"))
    kind = kinds[0] if isinstance(kinds, list) and len(kinds) == 1 else kinds
    start, end = values.get("start"), values.get("end")
    if type(start) is not int or type(end) is not int or not isinstance(kind, str) or not kind:
        raise DataError(f"a span has start, end and label, got {mark!r:.80}")
    if not 0 <= start < end <= length:
        raise DataError(f"the span {kind} from {start} to {end} is not in the text of {length} characters")
    return start, end, kind


def _listed(value: Any, what: str, names: Sequence[str] | None) -> list[str]:
    """A list of strings; numbers of classes become their names."""
    if value is None:
        return []
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, list):
        raise DataError(f"{what} are a list or a text, got {type(value).__name__}")
    if names is not None and all(type(entry) is int for entry in value):
        if wrong := [entry for entry in value if not 0 <= entry < len(names)]:
            raise DataError(f"{wrong[0]} is the number of no tag")
        return [names[entry] for entry in value]
    for place, entry in enumerate(value):
        if not isinstance(entry, str) or not entry:
            raise DataError(f"{what} are texts, but number {place + 1} is {entry!r:.40}")
    return value
