"""Taggers: what `seqwise predict` does for them, and their figures by type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seqwise.cli.asked import Asked
from seqwise.cli.console import print_json, print_table

TYPES_SHOWN = 20


def tag_texts(asked: Asked) -> None:
    """Tag texts and print what was found."""
    from seqwise.experiments.tagging import read_texts_to_tag
    from seqwise.prediction.tagger import TaggerPredictor

    predictor = TaggerPredictor.load(asked.folder, asked.device)
    given: Iterable[str | list[str]] = asked.lines()
    if asked.input is not None:
        given = read_texts_to_tag(asked.input, asked.column, predictor)
    tagged = predictor.tag(list(given))
    if asked.json:
        print_json({"texts": [of.to_dict() for of in tagged]})
        return
    for of in tagged:
        for entity in of.entities:
            word = " ".join(entity["word"].split())
            print(entity["entity_group"], f"{entity['score']:.4f}", entity["start"], entity["end"], word, sep="\t")
        print(flush=True)


def types_table(block: Mapping[str, Any]) -> None:
    """Print the figures of every type or tag, the rarest first.

    Args:
        block: one block of `metrics.json`.
    """
    kind = "per_type" if "per_type" in block else "per_tag"
    shown = sorted(block[kind].items(), key=lambda item: item[1]["support"])
    listed = []
    for name, of in shown[:TYPES_SHOWN]:
        figures = [
            "-" if of[key]["value"] is None else f"{of[key]['value']:.3f}" for key in ("precision", "recall", "f1")
        ]
        listed.append([name, f"{of['support']:,}", *figures])
    hidden = len(shown) - TYPES_SHOWN
    what = "By type" if kind == "per_type" else "By tag"
    note = f" (the {TYPES_SHOWN} rarest; {hidden} more in the report)" if hidden > 0 else ""
    print_table(what + note, ["", "there", "precision", "recall", "F1"], listed)
