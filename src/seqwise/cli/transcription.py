"""Transcribers: what `seqwise predict` does for them."""

from __future__ import annotations

from seqwise.cli.asked import Asked
from seqwise.cli.console import print_json, say


def transcribe_files(asked: Asked) -> None:
    """Transcribe sounds, or the frames of a table, and print what was heard, a line for each."""
    from seqwise.experiments.transcription_answers import listen, write_heard
    from seqwise.prediction.transcriber import TranscriberPredictor

    predictor = TranscriberPredictor.load(asked.folder, asked.device)
    if asked.beam is not None:
        predictor.use(beam=asked.beam)
    found = listen(predictor, asked.lines(), asked.input, asked.column)
    if asked.output is not None:
        write_heard(found, asked.output, overwrite=asked.overwrite)
        document = {"output": str(asked.output), "rows": len(found)}
        print_json(document) if asked.json else say(f"{len(found):,} transcripts written to {asked.output}")
    elif asked.json:
        print_json({"utterances": [{"utterance": name, **of.to_dict()} for name, of in found]})
    else:
        for name, of in found:
            print(name, f"{of.log_probability:.2f}", of.text, sep="\t", flush=True)
