"""Translators: what `seqwise predict` does for them."""

from __future__ import annotations

from seqwise.cli.asked import Asked
from seqwise.cli.console import print_json, say


def translate_texts(asked: Asked) -> None:
    """Translate texts and print a line for each; of several answers to each, number of the text, score and translation."""
    from seqwise.data.writing import write_table
    from seqwise.errors import FileError
    from seqwise.experiments.translation import read_texts_to_translate, written_translations
    from seqwise.prediction.translator import TranslatorPredictor

    predictor = TranslatorPredictor.load(asked.folder, asked.device)
    n_best = 1 if asked.n_best is None else asked.n_best
    options = predictor.search_options(asked.beam, n_best)
    if asked.output is not None and asked.output.exists() and not asked.overwrite:
        raise FileError(f"{asked.output} is there already: add --overwrite to replace it")
    texts = asked.lines()
    if asked.input is not None:
        texts = list(read_texts_to_translate(asked.input, asked.column, predictor))
    translated = predictor.translate(texts, options=options)
    if cut := sum(of.truncated for of in translated):
        longest = predictor.features.text.max_length
        say(f"Note: {cut:,} of {len(texts):,} texts have more than {longest} symbols and were cut off")
    if asked.output is not None:
        write_table(asked.output, [written_translations(translated)])
        document = {"output": str(asked.output), "rows": len(translated)}
        print_json(document) if asked.json else say(f"{len(translated):,} translations written to {asked.output}")
    elif asked.json:
        print_json({"translations": [of.to_dict(attention=True) for of in translated]})
    elif n_best == 1:
        for of in translated:
            print(of.text, flush=True)
    else:
        for number, of in enumerate(translated, 1):
            for answer in of.answers:
                print(number, f"{answer.score:.4f}", answer.text, sep="\t", flush=True)
