"""The words of a file as they are read: decoded, and each only once."""

from __future__ import annotations

from pathlib import Path

from seqwise.errors import DataError, FileError


class WordList:
    """Collects words.

    Args:
        path: the file, for messages.
        unit: what the places of the words count: "line" or "word".
        duplicates: "error", or "first" keeps the first of equal words.
        errors: "strict", or "replace" turns what is not UTF-8 into U+FFFD.

    Attributes:
        words: the words so far.
    """

    def __init__(self, path: Path, unit: str, *, duplicates: str, errors: str) -> None:
        self.path, self.unit, self.duplicates, self.errors = path, unit, duplicates, errors
        self.words: list[str] = []
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.words)

    def add(self, raw: bytes, place: int) -> bool:
        """Whether the word is new, and so its vector is kept.

        Raises:
            FileError: it is not UTF-8.
            DataError: it is empty, or there already.
        """
        try:
            word = raw.decode("utf-8", self.errors)
        except UnicodeDecodeError as error:
            raise FileError(
                f"{self.path}, {self.unit} {place}: the word is not UTF-8 (byte {error.start + 1} of it is "
                f'0x{raw[error.start]:02x}); errors="replace" reads it all the same'
            ) from None
        if not word:
            raise DataError(f"{self.path}, {self.unit} {place}: the word is empty")
        earlier = self._places.setdefault(word, place)
        if earlier != place:
            if self.duplicates == "first":
                return False
            raise DataError(
                f"{self.path}, {self.unit} {place}: {word!r} is there already ({self.unit} {earlier}); "
                'duplicates="first" keeps the first'
            )
        self.words.append(word)
        return True
