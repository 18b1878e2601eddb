"""What the report of a translator shows besides its figures: where it looked, its worst sentences, some at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqwise.evaluation.drawing import INK, MODEL, new_figure, panel, readable, rules, to_svg
from seqwise.evaluation.pages import markup_all
from seqwise.evaluation.task_report import Section
from seqwise.metrics.translation import sentence_scores

if TYPE_CHECKING:
    from seqwise.prediction.translator import Translated

FIGURES = {"bleu": "BLEU", "chrf": "chrF"}
PICTURES, WIDEST = 4, 24  # of attention; symbols of a side
CELL = 19  # pixels
SHOWN = 12  # sentences of a list


def translation_sections(
    sources: Sequence[str],
    references: Sequence[str],
    answers: Sequence[Translated],
    *,
    baseline: Sequence[str] | None,
    block: Mapping[str, Any],
    rows: Sequence[int],
    split: str,
    seed: int = 0,
) -> list[Section]:
    """Return what the report of a translator shows besides its figures.

    Args:
        sources: texts.
        references: one for each.
        answers: of the model.
        baseline: translations of the baseline, or None.
        block: of `translation_metrics`.
        rows: number of each pair in its table, from 0.
        split: the part that they are of.
        seed: of the choice of sentences.
    """
    scores = sentence_scores([of.text for of in answers], references)
    order = np.argsort(scores, kind="stable")
    random = np.random.default_rng(seed)
    some = np.sort(random.permutation(len(answers))[:SHOWN])

    def listed(numbers: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        return [
            {
                "row": int(rows[n]) + 1,
                "source": sources[n],
                "reference": references[n],
                "said": answers[n].text,
                "baseline": None if baseline is None else baseline[n],
                "score": float(scores[n]),
            }
            for n in map(int, numbers)
        ]

    found = [
        Section.of(
            "sentences",
            "Sentences",
            "Some sentences",
            "translation_sentences.html",
            sentences=listed(some),
            block=block,
            split=split,
            worst=False,
        )
    ]
    pictures = attention_pictures([answers[n] for n in random.permutation(len(answers))])
    if pictures:
        found.append(
            Section.of(
                "attention",
                "Attention",
                "Where it looked",
                "translation_attention.html",
                pictures=markup_all(pictures),
                split=split,
            )
        )
    found.append(
        Section.of(
            "worst",
            "Mistakes",
            "Its worst sentences",
            "translation_sentences.html",
            sentences=listed(order[:SHOWN]),
            block=block,
            split=split,
            worst=True,
        )
    )
    return found


def attention_pictures(answers: Sequence[Translated], limit: int = PICTURES) -> list[str]:
    """Heat maps of the first answers that are neither very short nor too long for one.

    Args:
        answers: of a model with attention; without it there are no pictures.
        limit: how many at most.
    """
    fitting: list[str] = []
    for of in answers:
        best = of.answers[0]
        if best.attention is not None and 5 <= len(best.symbols) <= WIDEST and len(of.symbols) <= WIDEST:
            fitting.append(attention_picture(best.attention, of.symbols, best.symbols, name=f"attention{len(fitting)}"))
        if len(fitting) == limit:
            break
    return fitting


def attention_picture(weights: np.ndarray, source: Sequence[str], target: Sequence[str], *, name: str) -> str:
    """A heat map: for every symbol of the target, a row, how much each of the source was looked at.

    Args:
        weights: (T, S), each row sums to one.
        source: S symbols.
        target: T symbols.
        name: unique on the page.
    """
    columns, lines = ([readable(symbol.lstrip("▁") or "▁", 14) for symbol in side] for side in (source, target))
    left, top = 16 + 6.8 * max(map(len, lines)), 20 + 5.2 * max(map(len, columns))
    width, height = left + CELL * len(columns) + 34, top + CELL * len(lines) + 6
    with rules(name):
        figure = new_figure(width, height)
        axes = panel(figure, left, top, width - left - CELL * len(columns), 6)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set_xlim(0, len(columns))
        axes.set_ylim(len(lines), 0)
        _draw_cells(axes, weights)
        axes.set_yticks(np.arange(len(lines)) + 0.5, lines, color=INK)
        axes.xaxis.tick_top()
        axes.set_xticks(np.arange(len(columns)) + 0.5, columns, color=INK)
        for label in axes.get_xticklabels():
            label.set(rotation=50, ha="left", rotation_mode="anchor")
        strongest = [f"{said}: {source[int(place)]}" for said, place in zip(target, weights.argmax(1), strict=True)]
        return to_svg(figure, name, f"Attention. What each symbol looked at most: {', '.join(strongest)}.")


def _draw_cells(axes: Any, weights: np.ndarray) -> None:
    from matplotlib.patches import Rectangle

    gap = 1 / CELL
    shares = weights.astype(float).clip(0.0, 1.0)
    for row, column in np.ndindex(weights.shape):
        axes.add_patch(
            Rectangle(
                (column + gap, row + gap),
                1 - 2 * gap,
                1 - 2 * gap,
                facecolor=MODEL,
                alpha=round(0.04 + 0.96 * float(shares[row, column]), 3),
                lw=0,
            )
        )
