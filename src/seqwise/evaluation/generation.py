"""What the report of a generator shows besides its figures: what it draws, music as a picture, and what it got wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqwise.evaluation.drawing import BASELINE, INK, MODEL, MUTED, WIDTH, heading, new_figure, panel, rules, to_svg
from seqwise.evaluation.pages import markup
from seqwise.evaluation.task_report import Section

FIGURES = {
    "exact": "Written exactly",
    "log_loss": "Log loss, nats a step",
    "log_loss_after_first": "The same without first steps",
    "perplexity": "Perplexity",
}
NOTES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
Piece = Sequence[Sequence[int]]


def generation_sections(
    *,
    split: str,
    samples: Mapping[str, Sequence[str]],
    pieces: Sequence[tuple[str, Piece, Piece]] = (),
    mistakes: Sequence[Mapping[str, Any]] = (),
    per_class: Sequence[Mapping[str, Any]] = (),
) -> list[Section]:
    """Return the sections.

    Args:
        split: the part whose figures are shown.
        samples: condition -> texts drawn for it.
        pieces: name, chords that were given, and chords drawn after them.
        mistakes: rows that were not written exactly: `row` (from 1), `true`, `said`, `log_loss`.
        per_class: of each class: `name`, `count`, `log_loss`, and `baseline`.
    """
    found = []
    if samples:
        found.append(Section.of("samples", "Samples", "Drawn from it", "generation_samples.html", samples=samples))
    if pieces:
        pictures = [markup(piano_roll(given, drawn, name, f"roll{i}")) for i, (name, given, drawn) in enumerate(pieces)]
        found.append(Section.of("music", "Music", "What it plays", "generation_music.html", pictures=pictures))
    if per_class:
        found.append(Section.of("classes", "Classes", "Class by class", "generation_classes.html", classes=per_class))
    if mistakes:
        found.append(
            Section.of(
                "mistakes", "Mistakes", "What it got wrong", "generation_mistakes.html", mistakes=mistakes, split=split
            )
        )
    return found


def piano_roll(given: Piece, drawn: Piece, title: str, name: str = "roll") -> str:
    """Draw chords as an `<svg>` element: time from left to right, pitches from below; a note that goes on is one bar.

    Args:
        given: the first chords, in grey.
        drawn: those that the model drew after them, in its colour.
        title: of the picture.
        name: unique on the page.
    """
    steps, whole = len(given) + len(drawn), [*given, *drawn]
    pitches = [pitch for chord in whole for pitch in chord] or [60]
    low, high = min(pitches), max(pitches)
    with rules(name):
        figure = new_figure(2.4 * WIDTH, 80 + 6 * (high - low + 4))
        heading(figure, title, [("given", BASELINE), ("drawn", MODEL)] if given else [("drawn", MODEL)])
        axes = panel(figure, 30, 42, 6, 38)
        for begin, end, pitch in _bars(whole, len(given)):
            colour = BASELINE if begin < len(given) else MODEL
            axes.broken_barh([(begin + 0.04, end - begin - 0.08)], (pitch - 0.4, 0.8), color=colour, linewidth=0)
        if given:
            axes.axvline(len(given), color=INK, linewidth=0.8)
        axes.set_xlim(0, max(steps, 1))
        axes.set_ylim(low - 1.5, high + 1.5)
        octaves = [pitch for pitch in range(low, high + 1) if pitch % 12 == 0] or [low]
        axes.set_yticks(octaves, [_note(pitch) for pitch in octaves])
        axes.set_xlabel("step", labelpad=4)
        axes.tick_params(labelcolor=MUTED)
        return to_svg(figure, name, f"Piano roll: {len(given)} steps given, {len(drawn)} drawn by the model")


def _bars(piece: Piece, cut: int) -> list[tuple[int, int, int]]:
    """First step, the one after the last, and pitch of every note; none goes over the cut."""
    bars, begun = [], dict[int, int]()
    for step, chord in enumerate([*map(set, piece), set[int]()]):
        over = set(begun) if step == cut else set(begun) - chord
        bars += [(begun.pop(pitch), step, pitch) for pitch in sorted(over)]
        for pitch in chord:
            begun.setdefault(pitch, step)
    return bars


def _note(pitch: int) -> str:
    """A MIDI pitch in letters; C4 is the middle C."""
    return f"{NOTES[pitch % 12]}{pitch // 12 - 1}"
