"""MIDI files: read as chords at even steps, and written from them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seqwise.data.chords import COLUMN, Chord
from seqwise.data.files import opened
from seqwise.data.tables import Chunk, Table
from seqwise.errors import ConfigurationError, DataError, FileError, MissingExtraError

TICKS = 480  # of a quarter note in the files that are written
DRUMS = 9  # the channel of percussion, whose numbers are no pitches
LONGEST = 100_000  # steps: what claims to be longer is damaged
VELOCITY = 72  # how hard every note is struck
TEMPO = 80.0  # quarter notes a minute, of the files that are written


def read_midi(path: str | Path, *, steps_a_quarter: int = 1) -> list[Chord]:
    """Read the pitches of a MIDI file at even steps.

    A pitch belongs to a step if it sounds where the step begins; what begins and ends between two steps is not there. The
    tempo does not matter, percussion is left out, and silence after the last note too.

    Args:
        path: of the file.
        steps_a_quarter: steps in a quarter note.

    Returns:
        The pitches of each step, rising.

    Raises:
        FileError: there is no such file, or it is not MIDI, or damaged.
        DataError: it has no notes.
        MissingExtraError: mido is not installed.
    """
    mido = _mido()
    _check_steps(steps_a_quarter)
    path = Path(path)
    if not path.is_file():
        raise FileError(f"there is no file {path}")
    with opened(path) as stream:
        content = stream.read()
    try:
        file = mido.MidiFile(file=io.BytesIO(content))
        tracks = [[(message.time, message) for message in track] for track in file.tracks]
    except (OSError, EOFError, ValueError, KeyError, IndexError, TypeError) as error:
        raise FileError(f"{path} is not a MIDI file, or damaged: {error or type(error).__name__}") from None
    ticks = file.ticks_per_beat / steps_a_quarter
    if ticks <= 0:
        raise FileError(f"{path} counts time in frames of film, not in beats: that is not read")
    notes = [note for track in tracks for note in _notes(track)]
    if not notes:
        raise DataError(f"{path} has no notes")
    steps = -int(-max(end for _, _, end in notes) // ticks)
    if steps > LONGEST:
        raise DataError(f"{path} has {steps:,} steps, more than {LONGEST:,}")
    chords: list[set[int]] = [set() for _ in range(steps)]
    for pitch, begin, end in notes:
        for step in range(-int(-begin // ticks), -int(-end // ticks)):
            chords[step].add(pitch)
    return [sorted(chord) for chord in chords]


def write_midi(
    path: str | Path,
    chords: Sequence[Sequence[int]],
    *,
    steps_a_quarter: int = 1,
    tempo: float = TEMPO,
    join: bool = True,
    program: int = 19,
) -> None:
    """Write chords as a MIDI file of one track, in place of what was there.

    Args:
        path: of the file.
        chords: MIDI pitches of each step.
        steps_a_quarter: steps in a quarter note.
        tempo: quarter notes a minute.
        join: a pitch that sounds at steps one after the other is one held note; False strikes it anew at every step. Chords
            do not tell the two apart, and voices of a choir are the one as often as the other.
        program: the General MIDI instrument from 0 on; 19 is the church organ.

    Raises:
        ConfigurationError: a number is out of range, or a pitch is none.
        FileError: the file cannot be written.
        MissingExtraError: mido is not installed.
    """
    mido = _mido()
    _check_steps(steps_a_quarter)
    if not 4 <= tempo <= 1000:
        raise ConfigurationError(f"a tempo is from 4 to 1000 quarter notes a minute, not {tempo}")
    if not 0 <= program < 128:
        raise ConfigurationError(f"an instrument is a number from 0 to 127, not {program}")
    if any(not 0 <= pitch < 128 for chord in chords for pitch in chord):
        raise ConfigurationError("a MIDI pitch is from 0 to 127")
    step = TICKS // steps_a_quarter
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo), time=0))
    track.append(mido.Message("program_change", program=program, time=0))
    now = 0
    for time, kind, pitch in _events(chords, join):
        at = time * step
        track.append(mido.Message(kind, note=pitch, velocity=VELOCITY if kind == "note_on" else 0, time=at - now))
        now = at
    track.append(mido.MetaMessage("end_of_track", time=len(chords) * step - now))
    file = mido.MidiFile(type=0, ticks_per_beat=TICKS)
    file.tracks.append(track)
    try:
        file.save(Path(path))
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from None


class MidiTable(Table):
    """A MIDI file as a table of one row, with the column `chords`: a step is a quarter note."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.columns, self.rows = [COLUMN], 1

    def iter_chunks(self, size: int = 8192, columns: Sequence[str] | None = None) -> Iterator[Chunk]:
        """See `Table.iter_chunks`."""
        for column in columns or ():
            self.require(column)
        yield {COLUMN: [read_midi(self.path)]}

    def place(self, row: int) -> str:
        """See `Table.place`."""
        return f"row {row + 1}"

    def types(self) -> dict[str, str]:
        """See `Table.types`."""
        return {COLUMN: "list"}


def _events(chords: Sequence[Sequence[int]], join: bool) -> list[tuple[int, str, int]]:
    """Step, kind and pitch of every message, in their order: of one moment the ends first."""
    events = []
    sounding: set[int] = set()
    for step, chord in enumerate([*map(set, chords), set()]):
        held = sounding & chord if join else set()
        events += [(step, "note_off", pitch) for pitch in sorted(sounding - held)]
        events += [(step, "note_on", pitch) for pitch in sorted(chord - held)]
        sounding = chord
    return events


def _notes(track: Sequence[tuple[int, Any]]) -> Iterator[tuple[int, int, int]]:
    """Pitch, first tick and tick of the end of every note; one that is never ended ends with the track."""
    now, begun = 0, dict[tuple[int, int], int]()
    for passed, message in track:
        now += passed
        if message.type not in ("note_on", "note_off") or message.channel == DRUMS:
            continue
        key = (message.channel, message.note)
        if key in begun:
            yield message.note, begun.pop(key), now
        if message.type == "note_on" and message.velocity:
            begun[key] = now
    for (_, pitch), begin in begun.items():
        yield pitch, begin, now


def _check_steps(steps_a_quarter: int) -> None:
    if steps_a_quarter < 1 or TICKS % steps_a_quarter:
        raise ConfigurationError(f"a quarter note has a number of steps that divides {TICKS}, not {steps_a_quarter}")


def _mido() -> Any:
    try:
        import mido
    except ImportError:
        raise MissingExtraError('MIDI files need mido, which is not installed: pip install "seqwise[music]"') from None
    return mido
