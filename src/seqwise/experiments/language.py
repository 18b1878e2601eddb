"""What `seqwise train --task lm` and `evaluate` call: texts -> model beside a Kneser-Ney baseline -> a model folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.data import resolve
from seqwise.data.sources import DataSource
from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators.language import TEXT_DEFAULTS, TRAINING_DEFAULTS, LanguageModel, split_end
from seqwise.evaluation.agreement import Agreement, measure_agreement
from seqwise.evaluation.kneser_ney import KneserNey
from seqwise.evaluation.language import LanguageReport, language_card, render_language_report
from seqwise.evaluation.mistakes import shortened
from seqwise.evaluation.pages import write_page
from seqwise.experiments.configuration import LanguageConfiguration, build_configuration
from seqwise.experiments.environment import environment
from seqwise.experiments.fitting import FINISHING, SHORTEST, Deadline
from seqwise.experiments.folders import check_destination, clear_model
from seqwise.experiments.reading import Say
from seqwise.experiments.tasks import TaskOutcome, TaskRequest
from seqwise.metrics.language import language_metrics
from seqwise.prediction import add_piece, resolve_device
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.sampling import Sampling
from seqwise.text.vocabulary import SPECIAL_TOKENS, UNK
from seqwise.training import Callback, Progress

ORDER = 5  # of the baseline
SAMPLES, SAMPLE_LENGTH, SURPRISING = 4, 60, 10
LONGEST_TEXT = 2000  # characters of a text that is read on its own for the report


def configure(
    file: Path | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    base: Mapping[str, Mapping[str, Any]] | None = None,
    treatment: str | None = None,
) -> LanguageConfiguration:
    """Return the configuration, see `seqwise.experiments.tasks.configure`."""
    if treatment is not None:
        raise ConfigurationError("a language model has no rare classes to treat: leave --imbalance out")
    defaults: dict[str, dict[str, Any]] = {"text": TEXT_DEFAULTS, "training": TRAINING_DEFAULTS}
    sections = {name: {**defaults.get(name, {}), **(base or {}).get(name, {})} for name in {*defaults, *(base or {})}}
    return build_configuration(file, overrides, flags, sections, kind=LanguageConfiguration)


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
    source = resolve(request.data)
    column = settings.data.text or source.metadata.get("text") or "text"
    texts: Sequence[Any] = read_texts(source, column, "train")
    if request.validation is not None:
        held: Sequence[Any] | None = read_texts(resolve(request.validation), column, "validation", "train")
    elif "validation" in source.splits and not source.is_file:
        held = read_texts(source, column, "validation")
    elif settings.data.validation:
        texts, held = split_end(texts, settings.data.validation)
    else:
        held = None
    tested = None if request.test is None else read_texts(resolve(request.test), column, "test")
    if held is None and tested is None:
        raise ConfigurationError(
            "data.validation is 0 and there are no test data: nothing could be evaluated; set one of them"
        )
    if request.overwrite:
        clear_model(request.folder)

    callbacks: list[Callback] = [Progress()]
    training, budget = settings.training, settings.training.time_budget
    if budget is not None:
        left = max(started + budget - time.monotonic() - FINISHING, SHORTEST)
        training = training.model_copy(update={"time_budget": left})
        callbacks.append(
            Deadline(started + budget, evaluations=2 + (2 * len(tested) / max(len(held or ()), 1) if tested else 0))
        )
    model = LanguageModel(text=settings.text, model=settings.model, training=training, validation=0.0)
    model.fit(texts, validation_data=held, folder=request.folder, resume=request.resume, callbacks=callbacks)
    model.save(request.folder, data={**settings.data.model_dump(), "text": column})

    predictor, sizes, metrics = model.predictor_, {"train": model.tokens_}, dict[str, Any]()
    pipeline = predictor.pipeline
    baseline = fit_language_baseline(predictor, texts)
    for part, of in (("validation", held), ("test", tested)):
        if of is not None:
            metrics[part] = evaluate_texts(predictor, of, baseline, seed=training.seed)
            sizes[part] = metrics[part]["tokens"]
    shown = "test" if tested is not None else "validation"
    judged = language_verdict(metrics[shown], shown)
    notes = _notes(model, held is not None and request.validation is None and "validation" not in source.splits)
    vocabulary = pipeline.vocabulary
    name = Path(request.data).name
    unit = "sub-words" if pipeline.settings.unit in ("bpe", "unigram") else pipeline.settings.unit
    content = LanguageReport(
        title=f"Language model of {name}",
        task=f"What comes next, from {column}: {'words' if unit in ('whitespace', 'tokens') else unit}",
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        verdict=judged,
        metrics=metrics,
        baseline=f"Kneser-Ney {ORDER}-grams",
        history=model.history_,
        sizes=sizes,
        vocabulary=len(vocabulary) - len(SPECIAL_TOKENS),
        unknown=float(vocabulary.counts[UNK]) / max(model.tokens_, 1),
        samples=_samples(predictor, training.seed),
        next_symbols={prompt: predictor.next_symbols(prompt, 8) for prompt in ("", *_beginnings(held or tested or ()))},
        agreement=agreement_of(predictor),
        surprising=_surprising(predictor, list(tested or held or ())),
        configuration=model.settings_.to_dict(),
        environment=environment(),
        seconds=time.monotonic() - started,
        notes=notes,
    )
    add_piece(request.folder, "metrics.json", metrics)
    write_page(request.folder / "report.html", render_language_report(content))
    add_piece(request.folder, "README.md", language_card(content, folder=str(request.folder), data=name))
    interrupted = model.fit_history_.interrupted
    return TaskOutcome(request.folder, metrics, judged, notes, time.monotonic() - started, interrupted)


def read_texts(source: DataSource, column: str, *parts: str) -> list[Any]:
    """The texts of a part, in their order; rows without a text are left out.

    Raises:
        DataError: there is no such column, or it holds no texts.
    """
    table = source.table(*parts)
    table.require(column, "column of the texts")
    texts = [text for chunk in table.iter_chunks(columns=[column]) for text in chunk[column] if text not in (None, "")]
    wrong = next((text for text in texts if not isinstance(text, str | list)), None)
    if wrong is not None:
        raise DataError(f"{table.name}: column {column!r} holds {type(wrong).__name__}, not texts")
    if not texts:
        raise DataError(f"{table.name}: there are no texts in column {column!r}")
    return texts


def fit_language_baseline(predictor: LanguagePredictor, texts: Sequence[Any]) -> KneserNey:
    """Return the n-gram baseline of the model's own symbols; padding is none of them."""
    symbols = predictor.pipeline.encode_stream(texts)
    return KneserNey.fit(symbols - 1, len(predictor.pipeline.vocabulary) - 1, ORDER)


def evaluate_texts(
    predictor: LanguagePredictor,
    texts: Sequence[Any],
    baseline: KneserNey | None,
    *,
    adapt: float | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Return a block of `metrics.json`: the texts read one after the other, the state carried over.

    Args:
        predictor: what answers.
        texts: in their order.
        baseline: to show beside it.
        adapt: learning rate of dynamic evaluation.
        seed: of the intervals.

    Raises:
        DataError: there are no symbols.
    """
    rows = predictor.encode(texts)
    symbols = np.concatenate(rows)
    several = len(rows) > 1
    characters = sum(len(text) if isinstance(text, str) else len(" ".join(text)) for text in texts)
    return language_metrics(
        predictor.read_stream(symbols) if adapt is None else predictor.adapt_stream(symbols, adapt),
        None if baseline is None else baseline.losses(symbols - 1, np.array([predictor.start - 1])),
        sentences=np.repeat(np.arange(len(rows)), [len(row) for row in rows]) if several else None,
        characters=characters + (len(rows) if predictor.ends else 0),
        seed=seed,
    )


def run_language_evaluation(
    folder: Path, data: str, *, text: str | None = None, adapt: float | None = None, device: str = "auto"
) -> tuple[str, dict[str, Any]]:
    """Evaluate a model folder on other texts. Its baseline is not stored: only `train` shows both.

    Args:
        folder: of the model.
        data: a file, or a folder or data set of which the test part is taken.
        text: column of the texts; None is that of training.
        adapt: go on learning from what has been read, at this rate (dynamic evaluation, Krause et al. 2018).
        device: where to compute.

    Returns:
        The name of the data, and a block as in `metrics.json`.

    Raises:
        ModelFolderError: the folder does not hold a sound language model.
        DataError: there are no texts.
    """
    predictor = LanguagePredictor.load(folder, device)
    column = text or predictor.settings.get("data", {}).get("text") or "text"
    source = resolve(data)
    return source.name, evaluate_texts(predictor, read_texts(source, str(column), "test"), None, adapt=adapt)


def language_verdict(block: dict[str, Any], split: str) -> str:
    """Say whether the model has earned its place beside the baseline."""
    ours, theirs, gap = block["perplexity"]["value"], block["baseline"]["perplexity"]["value"], block["difference"]
    figures = f"perplexity {ours:,.1f} against {theirs:,.1f} of Kneser-Ney {ORDER}-grams on the {split} text"
    if gap["high"] is not None and gap["high"] < 0:
        return f"The model is better than counting: {figures}."
    if gap["low"] is not None and gap["low"] > 0:
        return f"Counting is better than the model: {figures}; use the n-grams, or train longer."
    return f"No better than counting, as far as these data tell: {figures}."


def agreement_of(predictor: LanguagePredictor) -> list[Agreement]:
    """Return the agreement test of a model of words; of others nothing."""
    if predictor.pipeline.settings.unit not in ("words", "whitespace", "tokens"):
        return []
    return measure_agreement(predictor.log_probabilities_after, lambda word: word in predictor.pipeline.vocabulary)


def _notes(model: LanguageModel, held_back: bool) -> list[str]:
    notes = []
    if held_back:
        notes.append("The end of the training text was held back for validation, not learned from.")
    if model.fit_history_.stopped == "time":
        notes.append("The time budget ended the training.")
    if model.fit_history_.interrupted:
        notes.append("The training was interrupted; the saved model is the best one until then.")
    return notes


def _beginnings(texts: Sequence[Any]) -> list[str]:
    """The first words of some texts."""
    found = []
    for text in texts[:3]:
        words = (text if isinstance(text, str) else " ".join(text)).split()
        if len(words) > 3:
            found.append(" ".join(words[:3]))
    return list(dict.fromkeys(found))


def _samples(predictor: LanguagePredictor, seed: int) -> list[tuple[str, str]]:
    length = SAMPLE_LENGTH if predictor.pipeline.settings.unit != "characters" else 6 * SAMPLE_LENGTH
    return [("", "".join(predictor.generate("", Sampling(max_tokens=length, seed=seed + i)))) for i in range(SAMPLES)]


def _surprising(predictor: LanguagePredictor, texts: list[Any]) -> list[dict[str, Any]]:
    if len(texts) < 2:
        return []
    short = [text for text in texts if len(text) <= LONGEST_TEXT][:2000]
    scored = [of for of in predictor.score(short) if len(of.tokens) > 3]
    scored.sort(key=lambda of: -of.perplexity)
    return [
        {
            "text": shortened(of.text),
            "perplexity": of.perplexity,
            "hardest": sorted(
                ((token, float(np.exp(value))) for token, value in zip(of.tokens, of.log_probabilities, strict=True)),
                key=lambda pair: pair[1],
            )[:3],
        }
        for of in scored[:SURPRISING]
    ]
