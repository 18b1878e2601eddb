"""Polyphonic music as chords: at every step the MIDI pitches that sound, as lists of lists of whole numbers.

A step is a fixed share of a beat (a quarter note, for the chorales). Pitch 60 is the middle C, 69 the A of 440 Hz; a step at
which nothing sounds is an empty list.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.data.tables import Table
from seqwise.errors import DataError

Chord = list[int]
PITCHES = 128  # of MIDI
COLUMN = "chords"  # where no other is named


def read_chords(table: Table, column: str) -> list[list[Chord]]:
    """Read the pieces of a table, one a row: a list of steps, each a list of pitches.

    Raises:
        DataError: there is no such column, or a row is no piece; names it.
    """
    table.require(column, "column of the chords")
    values = (value for chunk in table.iter_chunks(columns=[column]) for value in chunk[column])
    return [checked_piece(value, f"{table.name}, row {row}") for row, value in enumerate(values, 1)]


def checked_piece(value: Any, where: str = "the piece") -> list[Chord]:
    """Return a piece with the pitches of every step rising, each once.

    Raises:
        DataError: it is no list of lists of pitches, or has no step; begins with `where`.
    """
    if not isinstance(value, list | tuple) or not len(value):
        raise DataError(f"{where}: a list of steps is expected, each a list of MIDI pitches, not {value!r:.60}")
    return [_checked_chord(chord, f"{where}, step {step}") for step, chord in enumerate(value, 1)]


def _checked_chord(chord: Any, where: str) -> Chord:
    if not isinstance(chord, list | tuple | np.ndarray):
        raise DataError(f"{where}: a list of MIDI pitches is expected, not {chord!r:.60}")
    pitches = set()
    for pitch in chord:
        number = pitch.item() if isinstance(pitch, np.generic) else pitch
        if type(number) is not int or not 0 <= number < PITCHES:
            raise DataError(f"{where}: a MIDI pitch is a whole number from 0 to {PITCHES - 1}, not {number!r:.40}")
        pitches.add(number)
    return sorted(pitches)


def looks_like_chords(value: Any) -> bool:
    """Whether a row of a table is a piece rather than a text or its tokens: a list of lists."""
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(chord, list | tuple) for chord in value)


def transposed(piece: Sequence[Sequence[int]], semitones: int) -> list[Chord]:
    """Return a piece so many semitones higher."""
    return [[pitch + semitones for pitch in chord] for chord in piece]


def room(piece: Sequence[Sequence[int]], lowest: int, highest: int) -> range:
    """The transpositions, in semitones, that keep a piece within a range of pitches; 0 where it does not sound at all."""
    pitches = [pitch for chord in piece for pitch in chord]
    return range(lowest - min(pitches), highest - max(pitches) + 1) if pitches else range(1)


def rolls(pieces: Iterable[Sequence[Sequence[int]]], lowest: int, highest: int) -> list[NDArray[np.bool_]]:
    """Return each piece as a piano roll, (T, highest - lowest + 1): whether a pitch sounds at a step.

    Raises:
        DataError: a pitch is outside the range.
    """
    result = []
    for number, piece in enumerate(pieces, 1):
        roll = np.zeros((len(piece), highest - lowest + 1), bool)
        for step, chord in enumerate(piece):
            if chord and not lowest <= min(chord) <= max(chord) <= highest:
                wrong = next(pitch for pitch in chord if not lowest <= pitch <= highest)
                raise DataError(
                    f"piece {number}, step {step + 1}: the pitch {wrong} is outside {lowest} to {highest}, "
                    "those that the model has (model.lowest, model.highest)"
                )
            roll[step, np.array(chord, np.int64) - lowest] = True
        result.append(roll)
    return result
