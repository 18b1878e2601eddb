"""What the report of a language model shows besides its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqwise.evaluation.agreement import Agreement
from seqwise.evaluation.task_report import Section

FIGURES = {
    "perplexity": "Perplexity",
    "log_loss": "Log loss, nats a symbol",
    "bits_per_character": "Bits a character",
}


def language_sections(
    *,
    split: str,
    agreement: Sequence[Agreement],
    next_symbols: Mapping[str, Sequence[tuple[str, float]]],
    samples: Sequence[tuple[str, str]],
    surprising: Sequence[Mapping[str, Any]],
) -> list[Section]:
    """Return the sections.

    Args:
        split: the part whose figures are shown.
        agreement: verbs at growing distance from their subject.
        next_symbols: what the model was given -> most probable next symbols with their probabilities.
        samples: texts drawn from the model: what it was given, and what it said.
        surprising: the least probable texts of the split: text, perplexity, and its least probable symbols.
    """
    found = []
    if agreement:
        found.append(
            Section.of("agreement", "Agreement", "Does it remember its subject?", "agreement.html", agreement=agreement)
        )
    found.append(
        Section.of("next", "What comes next", "What comes next", "next_symbols.html", next_symbols=next_symbols)
    )
    found.append(Section.of("samples", "Samples", "Drawn from it", "samples.html", samples=samples))
    if surprising:
        found.append(
            Section.of(
                "surprising",
                "Surprising",
                "What it found hardest",
                "surprising.html",
                surprising=surprising,
                split=split,
            )
        )
    return found
