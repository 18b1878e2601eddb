"""Taggers: what `seqwise predict` does for them, and their figures by type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from json import dumps
from typing import TYPE_CHECKING, Any

from seqwise.cli.asked import Asked
from seqwise.cli.console import print_json, print_table, say

if TYPE_CHECKING:
    from seqwise.prediction.tagged import TaggedFrames, TaggedText

TYPES_SHOWN = 20


def tag_sequences(asked: Asked) -> None:
    """Tag texts or recordings; print what was found, or write it to a file.

    Raises:
        ConfigurationError: texts for a model of frames.
    """
    from seqwise.errors import ConfigurationError
    from seqwise.experiments.tag_prediction import answer_file, write_answers
    from seqwise.prediction.tagger import TaggerPredictor

    predictor = TaggerPredictor.load(asked.folder, asked.device)
    if asked.input is not None:
        answered = answer_file(predictor, asked.input, asked.column)
    elif predictor.framed:
        raise ConfigurationError(f"{asked.folder} reads frames of numbers, not texts: give a file with --input")
    else:
        lines = asked.lines()
        answered = iter([({"text": lines}, predictor.tag(lines))])
    if asked.output is not None:
        rows = write_answers(answered, asked.output, overwrite=asked.overwrite)
        document = {"output": str(asked.output), "rows": rows}
        print(dumps(document)) if asked.json else say(f"{rows:,} rows with tags written to {asked.output}")
        return
    tagged: Iterable[TaggedText | TaggedFrames] = (of for _, answers in answered for of in answers)
    if asked.json:
        print_json({"recordings" if predictor.framed else "texts": [of.to_dict() for of in tagged]})
        return
    for of in tagged:
        for entity in of.entities:
            places = [place if isinstance(place, int) else f"{place:.2f}" for place in (entity["start"], entity["end"])]
            words = [" ".join(entity["word"].split())] if "word" in entity else []
            print(entity["entity_group"], f"{entity['score']:.4f}", *places, *words, sep="\t")
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
