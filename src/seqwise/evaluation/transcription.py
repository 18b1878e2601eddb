"""What the report of a transcriber shows besides its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqwise.evaluation.drawing import (
    BASELINE,
    DATA,
    INK,
    MODEL,
    MUTED,
    heading,
    new_figure,
    panel,
    readable,
    rules,
    to_svg,
)
from seqwise.evaluation.pages import markup
from seqwise.evaluation.task_report import Section
from seqwise.metrics.transcription import align_words, edit_counts

FIGURES = {"wer": "Word error rate", "cer": "Character error rate", "exact": "Wholly right"}
WIDTH, HEIGHT = 900, 190  # of an alignment
CLEAR = 0.3  # a symbol below this probability is not named


def transcription_sections(
    block: Mapping[str, Any],
    *,
    split: str,
    alignments: Sequence[Any],
    searches: Sequence[Mapping[str, Any]],
    worst: Sequence[Mapping[str, Any]],
) -> list[Section]:
    """Return what the report of a transcriber shows besides its figures.

    Args:
        block: of `transcription_metrics`, with `usual`, the word error rate of always the same transcript.
        split: the part that it is of.
        alignments: pictures from `alignment`.
        searches: what each part of the search gains on the validation part.
        worst: from `worst_utterances`.
    """
    found = []
    if alignments:
        pictures = [markup(picture) for picture in alignments]
        found.append(
            Section.of("alignment", "Alignment", "When what was heard", "transcript_alignment.html", pictures=pictures)
        )
    found.append(
        Section.of("edits", "Edits", "What goes wrong", "transcript_edits.html", block=block, searches=searches)
    )
    if worst:
        found.append(Section.of("worst", "Mistakes", "The worst", "transcript_worst.html", worst=worst, split=split))
    return found


def worst_utterances(
    true: Sequence[str], said: Sequence[str], rows: Sequence[int], *, limit: int = 15
) -> list[dict[str, Any]]:
    """Choose the utterances with the most wrong words.

    Args:
        true: what was said.
        said: what the model has heard.
        rows: number of each in its table, from 0.
        limit: how many at most.

    Returns:
        Worst first: `row` (from 1), `wrong`, `of` (words), `steps`: `true` and `said` of each, None where one lacks.
    """
    counts = edit_counts([text.split() for text in true], [text.split() for text in said])
    wrong = counts[:, 1:].sum(axis=1)
    lengths = np.array([len(text.split()) for text in true])
    order = np.lexsort((-wrong / np.maximum(lengths, 1), -wrong))
    return [
        {
            "row": int(rows[i]) + 1,
            "wrong": int(wrong[i]),
            "of": int(lengths[i]),
            "steps": [step._asdict() for step in align_words(true[i].split(), said[i].split())],
        }
        for i in order[:limit]
        if wrong[i]
    ]


def alignment(
    logs: np.ndarray, symbols: Sequence[str], *, seconds: float, unit: str, said: str, true: str, number: int
) -> str:
    """P of every symbol over time, its name where it is clear; the blank in grey.

    Args:
        logs: (S, V) log P of every symbol at every step, the blank first.
        symbols: the V names.
        seconds: of a step.
        unit: of `seconds`.
        said: what the model has heard.
        true: what was said.
        number: of the picture on the page, so that its name is its own.
    """
    chances = np.exp(logs)
    times = (np.arange(len(chances)) + 0.5) * seconds
    name = f"alignment-{number}"
    with rules(name):
        figure = new_figure(WIDTH, HEIGHT)
        axes = panel(figure, 34, 46, 10, 34)
        note = "heard as it was said" if said == true else f"said: {readable(true, 100)}"
        heading(figure, f"heard: {readable(said, 100) or 'nothing'}", note)
        axes.fill_between(times, chances[:, 0], color=BASELINE, alpha=0.25, linewidth=0)
        for symbol in (np.flatnonzero(chances[:, 1:].max(axis=0) > CLEAR) + 1).tolist():
            line = chances[:, symbol]
            colour = DATA if not symbols[symbol].strip() else MODEL
            axes.plot(times, line, color=colour, linewidth=1.2)
            for step in _peaks(line):
                label = symbols[symbol].strip() or "␣"
                axes.text(
                    times[step], min(line[step] + 0.03, 1.04), label, ha="center", va="bottom", color=INK, size=10
                )
        axes.set_xlim(0, len(chances) * seconds)
        axes.set_ylim(0, 1.18)
        axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"], color=MUTED)
        axes.set_xlabel(unit)
        description = f"Probability of every symbol over time. Heard: {said}. Said: {true}."
        return to_svg(figure, name, description)


def _peaks(line: np.ndarray) -> list[int]:
    """The steps at which a symbol is clearest, one for each time that it rises above `CLEAR`."""
    peaks, begin = [], None
    for step, above in enumerate([*(line > CLEAR), False]):
        if above and begin is None:
            begin = step
        elif not above and begin is not None:
            peaks.append(begin + int(line[begin:step].argmax()))
            begin = None
    return peaks
