"""Music: chords in tables, and MIDI files."""

from __future__ import annotations

import sys
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqwise.data.chords import checked_piece, read_chords, rolls, room, transposed
from seqwise.data.midi import read_midi, write_midi
from seqwise.data.tables import open_table
from seqwise.errors import ConfigurationError, DataError, FileError, MissingExtraError

PIECE = [[60, 64, 67], [60, 65, 69], [], [60], [48, 60, 76], [48]]
chord = st.lists(st.integers(0, 127), max_size=6, unique=True).map(sorted)


def test_a_written_file_says_to_another_reader_what_sounds_when(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [[60, 64], [60, 65]], tempo=120)
    file = mido.MidiFile(tmp_path / "a.mid")
    assert file.length == pytest.approx(1.0)  # two quarters of half a second
    held = [(m.type, m.note, m.time) for m in file.tracks[0] if m.type.startswith("note")]
    assert held == [
        ("note_on", 60, 0),
        ("note_on", 64, 0),
        ("note_off", 64, 480),
        ("note_on", 65, 0),
        ("note_off", 60, 480),
        ("note_off", 65, 0),
    ]


@given(st.lists(chord, min_size=1, max_size=12), chord.filter(bool), st.booleans(), st.sampled_from([1, 2, 4, 12]))
def test_chords_return_from_midi(tmp_path_factory: pytest.TempPathFactory, steps, last, join, fine) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("midi") / "piece.mid"
    piece = [*steps, last]
    write_midi(path, piece, join=join, steps_a_quarter=fine)
    assert read_midi(path, steps_a_quarter=fine) == piece


def test_notes_are_held_or_struck_anew(tmp_path: Path) -> None:
    def strikes(join: bool) -> int:
        write_midi(tmp_path / "a.mid", PIECE, join=join)
        return sum(m.type == "note_on" for m in mido.MidiFile(tmp_path / "a.mid").tracks[0])

    assert strikes(False) == sum(map(len, PIECE))
    assert strikes(True) == sum(map(len, PIECE)) - 3  # 60 goes on at steps 2 and 5, 48 at step 6


def test_percussion_and_short_notes_are_no_part_of_a_step(tmp_path: Path) -> None:
    track = mido.MidiTrack(
        [
            mido.Message("note_on", note=36, velocity=90, channel=9, time=0),
            mido.Message("note_on", note=60, velocity=90, time=0),
            mido.Message("note_on", note=62, velocity=90, time=20),
            mido.Message("note_on", note=62, velocity=0, time=20),  # the other way to end a note
            mido.Message("note_off", note=60, time=60),
        ]
    )
    mido.MidiFile(tracks=[track], ticks_per_beat=100).save(tmp_path / "a.mid")
    assert read_midi(tmp_path / "a.mid") == [[60]]


def test_a_midi_file_is_a_table_of_one_piece(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", PIECE)
    table = open_table(tmp_path / "a.mid")
    assert (table.columns, table.rows) == (["chords"], 1)
    assert read_chords(table, "chords") == [PIECE]


def test_a_wrong_midi_file_is_named(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mid"
    write_midi(whole, PIECE)
    cut = tmp_path / "cut.mid"
    cut.write_bytes(whole.read_bytes()[:40])
    for path in (cut, tmp_path / "text.mid"):
        if path.name == "text.mid":
            path.write_text("no music")
        with pytest.raises(FileError, match="not a MIDI file, or damaged"):
            read_midi(path)
    mido.MidiFile(tracks=[mido.MidiTrack()]).save(tmp_path / "silent.mid")
    with pytest.raises(DataError, match="no notes"):
        read_midi(tmp_path / "silent.mid")
    with pytest.raises(FileError, match="there is no file"):
        read_midi(tmp_path / "missing.mid")


def test_numbers_out_of_range_are_refused(tmp_path: Path) -> None:
    for options in ({"tempo": 0}, {"program": 128}, {"steps_a_quarter": 7}):
        with pytest.raises(ConfigurationError):
            write_midi(tmp_path / "a.mid", PIECE, **options)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="pitch"):
        write_midi(tmp_path / "a.mid", [[200]])


def test_without_the_library_the_message_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(MissingExtraError, match=r"seqwise\[music\]"):
        write_midi(tmp_path / "a.mid", PIECE)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("C E G", "list of steps"),
        ([], "list of steps"),
        ([60], "step 1: a list of MIDI pitches"),
        ([[60], [60.5]], "step 2: a MIDI pitch is a whole number"),
        ([[128]], "0 to 127"),
        ([[True]], "whole number"),
    ],
)
def test_what_is_no_piece_is_named(value: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        checked_piece(value)


def test_pitches_rise_and_stand_once() -> None:
    assert checked_piece([[67, 60, 60]]) == [[60, 67]]


def test_a_transposed_piece_stays_in_the_range() -> None:
    shifts = room(PIECE, 40, 80)
    assert (shifts[0], shifts[-1]) == (-8, 4)
    assert all(min(p) >= 40 and max(p) <= 80 for s in shifts for p in transposed(PIECE, s) if p)


def test_a_roll_marks_the_pitches() -> None:
    (roll,) = rolls([PIECE], 40, 80)
    assert [(row.nonzero()[0] + 40).tolist() for row in roll] == PIECE
    with pytest.raises(DataError, match=r"piece 1, step 1: the pitch 67"):
        rolls([PIECE], 40, 66)
