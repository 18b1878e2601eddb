"""What `seqwise train --task tag`, `evaluate` and `predict` call: tagged sentences -> model, baseline, model folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seqwise.data import DataSource, open_table, resolve
from seqwise.data.tagged import TaggedSentences, find_columns, read_tagged
from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.estimators import SequenceTagger
from seqwise.estimators.tag_targets import TagCode
from seqwise.estimators.tagger_sections import TRAINING_DEFAULTS
from seqwise.evaluation.pages import write_page
from seqwise.evaluation.tag_baseline import NAME, TagBaseline
from seqwise.evaluation.tagging import TaggingReport, render_tagging_report, tagging_card, worst_sentences
from seqwise.experiments.configuration import TaggerConfiguration, build_configuration
from seqwise.experiments.environment import environment
from seqwise.experiments.fitting import FINISHING, SHORTEST, Deadline
from seqwise.experiments.folders import check_destination, clear_model
from seqwise.experiments.reading import Say
from seqwise.experiments.tasks import TaskOutcome, TaskRequest
from seqwise.metrics.tagging import Tagging, tagging_metrics
from seqwise.prediction import add_piece, resolve_device
from seqwise.prediction.tagger import PLAIN, TaggedText, TaggerPredictor
from seqwise.text import TextSettings, Tokenizer
from seqwise.training import Callback, Progress

BASELINE = "baseline.json"


def configure(
    file: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    base: Mapping[str, Mapping[str, Any]] | None = None,
    treatment: str | None = None,
) -> TaggerConfiguration:
    """Return the configuration, see `seqwise.experiments.tasks.configure`."""
    sections = {**(base or {}), "training": {**TRAINING_DEFAULTS, **(base or {}).get("training", {})}}
    return build_configuration(file, overrides, flags, sections, treatment, kind=TaggerConfiguration)


def run(request: TaskRequest, say: Say = lambda message: None) -> TaskOutcome:
    """Read, train, compare with the baseline, save.

    Raises:
        InputError: the data, the configuration or the folder are not as needed; nothing has been changed then.
        DivergenceError: the loss became NaN or infinite.
    """
    started = request.started or time.monotonic()
    settings = request.configuration
    check_destination(request.folder, overwrite=request.overwrite, resume=request.resume)
    resolve_device(settings.training.device)
    for name in ("weight", "unlabelled", "separator"):
        if getattr(settings.data, name) is not None:
            raise ConfigurationError(f"data.{name} is not for taggers")
    source = resolve(request.data)
    table = source.table("train")
    named = (settings.data.text or source.metadata.get("text"), settings.data.label or source.metadata.get("label"))
    text, label = find_columns(table, *named)
    splitter = Tokenizer(_with_unit(settings.text))
    training = read_tagged(table, text, label, splitter.spans)
    held, own = None, False
    if request.validation is not None:
        held = _read_part(resolve(request.validation), text, label, splitter, "validation", "train")
    elif "validation" in source.splits and not source.is_file:
        held, own = _read_part(source, text, label, splitter, "validation"), True
    tested = None if request.test is None else _read_part(resolve(request.test), text, label, splitter, "test")
    if held is None and tested is None and not settings.data.validation:
        raise ConfigurationError(
            "data.validation is 0 and there are no test data: nothing could be evaluated; set one of them"
        )
    if request.overwrite:
        clear_model(request.folder)
    if training.empty:
        say(f"{training.empty:,} rows without a token are left out")

    callbacks: list[Callback] = [Progress()]
    fit, budget = settings.training, settings.training.time_budget
    if budget is not None:
        left = max(started + budget - time.monotonic() - FINISHING, SHORTEST)
        fit = fit.model_copy(update={"time_budget": left})
        size = len(held) if held is not None else settings.data.validation * len(training)
        callbacks.append(Deadline(started + budget, evaluations=3 + (2 * len(tested) / max(size, 1) if tested else 0)))
    model = SequenceTagger(
        text=settings.text,
        model=settings.model,
        imbalance=settings.imbalance,
        training=fit,
        validation=settings.data.validation if held is None else 0.0,
    )
    model.fit(
        training.tokens,
        training.tags,
        validation_data=None if held is None else (held.tokens, held.tags),
        folder=request.folder,
        resume=request.resume,
        callbacks=callbacks,
    )
    if model.coverage_ is not None:
        say(model.coverage_.sentence())
    model.save(request.folder, data={**settings.data.model_dump(), "text": text, "label": label})
    if held is None and model.held_ is not None:
        chosen = [training.rows[i] for i in model.held_]
        held = TaggedSentences(
            [training.tokens[i] for i in model.held_], [training.tags[i] for i in model.held_], chosen
        )
        kept = sorted(set(range(len(training))) - set(model.held_))
        training = TaggedSentences(
            [training.tokens[i] for i in kept],
            [training.tags[i] for i in kept],
            [training.rows[i] for i in kept],
            training.empty,
            training.moved,
        )
    baseline = TagBaseline.fit(training.tokens, training.tags)
    add_piece(request.folder, BASELINE, baseline.to_dict(), sealed=True)

    metrics: dict[str, Any] = {}
    shown = "test" if tested is not None else "validation"
    worst: list[dict[str, Any]] = []
    for part, of in (("validation", held), ("test", tested)):
        if of is not None:
            said = model.predictor_.tag(of.tokens)
            metrics[part] = evaluate_tagging(model.code_, of, said, baseline, seed=fit.seed)
            if part == shown:
                tags, chances = [one.tags for one in said], [one.probabilities for one in said]
                right = model.code_.tagging(of.tags).tags
                worst = worst_sentences(of.tokens, right, tags, chances, rows=of.rows)
    judged = tagging_verdict(metrics[shown], shown)
    notes = _notes(model, training, held_back=not own and request.validation is None and held is not None)
    name = Path(request.data).name
    kinds = len({one[2:] for one in model.classes_ if one != "O"}) if model.code_.scheme != PLAIN else None
    content = TaggingReport(
        title=f"Tagger of {name}",
        task=f"{label} of {text}: "
        + (f"{len(model.classes_)} tags" if kinds is None else f"spans of {kinds} types, {model.code_.scheme}"),
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        verdict=judged,
        metrics=metrics,
        baseline=NAME,
        history=model.history_,
        sizes={
            "train": len(training),
            **{part: len(of) for part, of in (("validation", held), ("test", tested)) if of},
        },
        worst=worst,
        configuration=model.settings_.to_dict(),
        environment=environment(),
        seconds=time.monotonic() - started,
        notes=notes,
    )
    add_piece(request.folder, "metrics.json", metrics)
    write_page(request.folder / "report.html", render_tagging_report(content))
    add_piece(request.folder, "README.md", tagging_card(content, folder=str(request.folder), data=name))
    interrupted = model.fit_history_.interrupted
    return TaskOutcome(request.folder, metrics, judged, notes, time.monotonic() - started, interrupted)


def evaluate_tagging(
    code: TagCode,
    of: TaggedSentences,
    said: Sequence[TaggedText],
    baseline: TagBaseline | None,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Return a block of `metrics.json`.

    Args:
        code: of the model's tags.
        of: sentences and what is right.
        said: of the same sentences.
        baseline: to show beside it.
        seed: of the intervals.

    Raises:
        DataError: a tag is none of the scheme that the model was trained on.
    """
    answers = Tagging([one.tags for one in said], None if code.scheme == PLAIN else [one.spans for one in said])
    beside = None if baseline is None else code.tagging(baseline.predict(of.tokens))
    return tagging_metrics(code.tagging(of.tags), answers, beside, seed=seed)


def run_tagging_evaluation(
    folder: Path,
    data: str,
    *,
    text: str | None = None,
    label: str | None = None,
    save: bool = False,
    device: str = "auto",
) -> tuple[str, dict[str, Any], str | None]:
    """Evaluate a model folder on other tagged sentences, its baseline beside it.

    Args:
        folder: of the model.
        data: a file, or a folder or data set of which the test part is taken.
        text: column of the tokens, if not as in training.
        label: column of the tags, if not as in training.
        save: the figures become the test block of metrics.json.
        device: where it runs.

    Returns:
        The name of the data, the block, and a sentence that compares; None without a baseline.

    Raises:
        InputError: the folder, the data or the columns are not as needed.
    """
    predictor = TaggerPredictor.load(folder, device)
    source = resolve(data)
    saved = predictor.settings.get("data", {})
    columns = find_columns(source.table("test"), text or saved.get("text"), label or saved.get("label"))
    of = _read_part(source, *columns, predictor.features.tokenizer, "test")
    model = predictor.network.settings
    code = TagCode(predictor.classes, model.scheme, model.inner_scheme)
    baseline = _load_baseline(folder)
    block = evaluate_tagging(code, of, predictor.tag(of.tokens), baseline)
    if save:
        path = folder / "metrics.json"
        try:
            before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError:
            raise ModelFolderError(f"{path} is damaged: it is no JSON") from None
        add_piece(folder, "metrics.json", {**before, "test": block})
    return source.name, block, None if baseline is None else tagging_verdict(block, "test")


def read_texts_to_tag(path: Path, column: str | None, predictor: TaggerPredictor) -> Iterator[str | list[str]]:
    """Yield the texts or token lists of a file: a column of a table, or the lines of a text file.

    Raises:
        FileError: the file cannot be read.
        DataError: there is no such column, or a row holds something else.
    """
    table = open_table(path)
    chosen = column or predictor.settings.get("data", {}).get("text") or "text"
    if column is None and chosen not in table.columns and "text" in table.columns:
        chosen = "text"
    table.require(chosen, "column of the texts")
    row = 0
    for chunk in table.iter_chunks(columns=[chosen]):
        for text in chunk[chosen]:
            if not isinstance(text, str | list) or (isinstance(text, list) and not all(text)):
                raise DataError(
                    f"{table.name}, {table.place(row)}: a text or a list of tokens is expected in {chosen!r}"
                )
            row += 1
            yield text


def tagging_verdict(block: Mapping[str, Any], split: str) -> str:
    """Say whether the model has earned its place beside the baseline."""
    metric, gap = block["metric"], block["difference"]
    name = "F1 of spans" if metric == "f1" else "accuracy of tokens"
    ours, theirs = (of[metric]["value"] or 0.0 for of in (block, block["baseline"]))
    figures = f"{name} {ours:.3f} against {theirs:.3f} of the {NAME} on the {split} sentences"
    if gap["low"] is not None and gap["low"] > 0:
        return f"The model is better than looking tokens up: {figures}."
    if gap["high"] is not None and gap["high"] < 0:
        return f"Looking tokens up is better than the model: {figures}; train longer, or on more sentences."
    return f"No better than looking tokens up, as far as these data tell: {figures}."


def _read_part(source: DataSource, text: str, label: str, splitter: Tokenizer, *parts: str) -> TaggedSentences:
    table = source.table(*parts)
    return read_tagged(table, *find_columns(table, text, label), splitter.spans)


def _with_unit(text: TextSettings) -> TextSettings:
    return text.model_copy(update={"unit": "words"}) if text.unit == "auto" else text


def _load_baseline(folder: Path) -> TagBaseline | None:
    path = folder / BASELINE
    if not path.exists():
        return None
    try:
        return TagBaseline.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ModelFolderError(f"{path} is damaged: {error}") from None


def _notes(model: SequenceTagger, training: TaggedSentences, *, held_back: bool) -> list[str]:
    notes = []
    if model.coverage_ is not None:
        notes.append(model.coverage_.sentence())
    if model.broken_:
        notes.append(
            f"{model.broken_:,} training tags broke a rule of the scheme {model.code_.scheme} (an I- without its B-, say) "
            "and were read as the spans that were meant."
        )
    if training.moved:
        notes.append(f"{training.moved:,} marked spans ended within a token and were widened to whole tokens.")
    if training.empty:
        notes.append(f"{training.empty:,} rows without a token were left out.")
    if held_back:
        notes.append("A part of the training sentences was held back for validation, not learned from.")
    if model.fit_history_.stopped == "time":
        notes.append("The time budget ended the training.")
    if model.fit_history_.interrupted:
        notes.append("The training was interrupted; the saved model is the best one until then.")
    return notes
