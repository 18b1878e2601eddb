"""Figures of translations: BLEU and chrF as sacrebleu counts them, with bootstrap intervals.

Both are made of counts that add up over sentences: every resample of the sentences is a sum of rows. The counting and the
summing are those methods of sacrebleu that its own resampling is made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqwise.errors import DataError, MissingExtraError
from seqwise.metrics.intervals import Figure, figure, resampled_multiplicities

NAMES = ("bleu", "chrf")


def translation_metrics(
    said: Sequence[str],
    references: Sequence[str],
    baseline: Sequence[str] | None = None,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """BLEU (Papineni et al. 2002) and chrF (Popovic 2015), cased, of detokenised text, 0 to 100, with 95% intervals.

    They are sacrebleu's with its defaults: BLEU with the tokenizer 13a and exponential smoothing (Post 2018), chrF2.

    Args:
        said: translations, (n,).
        references: one for each.
        baseline: translations of a baseline, or None.
        resamples: how many bootstrap resamples of the sentences; the same ones for model and baseline.
        seed: of the resampling.

    Returns:
        `kind`, `metric`, `sentences`, `bleu`, `chrf`, `precisions` of n-grams of 1 to 4 words, `brevity`, `length_ratio`,
        `same` (share of the translations that are exactly the reference), `signature`; with a baseline also `baseline`,
        with its own `bleu` and `chrf`, and `difference`, ours less its BLEU.

    Raises:
        DataError: there are no sentences, or not one reference for each.
        MissingExtraError: sacrebleu is not installed.
    """
    for given in (said, baseline):
        if given is not None and len(given) != len(references):
            raise DataError(f"there are {len(given)} translations and {len(references)} references")
    if not references:
        raise DataError("there are no translations to evaluate")
    draws = None
    if len(references) > 1 and resamples:
        blocks = resampled_multiplicities(len(references), resamples, np.random.default_rng(seed))
        draws = np.concatenate([block.T for block in blocks])
    ours, several = _figures(said, references, draws)
    library = _library()
    scorer = library.BLEU()
    score = scorer.corpus_score(list(said), [list(references)])
    block: dict[str, Any] = {
        "kind": "translation",
        "metric": "bleu",
        "sentences": len(references),
        **ours,
        "precisions": [float(value) for value in score.precisions],
        "brevity": float(score.bp),
        "length_ratio": float(score.ratio),
        "same": float(np.mean([a == b for a, b in zip(said, references, strict=True)])),
        "signature": f"BLEU {scorer.get_signature().format(short=False)}",
    }
    if baseline is not None:
        theirs, others = _figures(baseline, references, draws)
        block["baseline"] = theirs
        gap = (ours["bleu"]["value"] or 0.0) - (theirs["bleu"]["value"] or 0.0)
        both = None if several is None or others is None else several - others
        block["difference"] = {"metric": "bleu", **figure(gap, both)}
    return block


def sentence_scores(said: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """chrF of every sentence by itself, (n,): BLEU says little of a single one.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """
    scorer = _library().CHRF()
    return np.array([scorer.sentence_score(a, [b]).score for a, b in zip(said, references, strict=True)])


def quick_chrf(said: Sequence[str], references: Sequence[str]) -> float:
    """chrF of all sentences together, 0 to 100.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """
    return float(_library().CHRF().corpus_score(list(said), [list(references)]).score)


def _figures(
    said: Sequence[str], references: Sequence[str], draws: np.ndarray | None
) -> tuple[dict[str, Figure], np.ndarray | None]:
    """Both figures with their intervals, and BLEU of every resample, (R,).

    Args:
        said: translations.
        references: one for each.
        draws: (R, n), how often each sentence comes up.
    """
    library = _library()
    result: dict[str, Figure] = {}
    of_bleu: np.ndarray | None = None
    for name, scorer in (("bleu", library.BLEU()), ("chrf", library.CHRF())):
        # (n, K): the counts of each sentence which the corpus's figure is made of.
        counts = np.array(scorer._extract_corpus_statistics(list(said), [list(references)]), dtype=np.float64)
        value = _score(scorer, counts.sum(0))
        several = None
        if draws is not None:
            several = np.array([_score(scorer, row) for row in draws @ counts])
        result[name] = figure(value, several)
        if name == "bleu":
            of_bleu = several
    return result, of_bleu


def _score(scorer: Any, counts: np.ndarray) -> float:
    return float(scorer._compute_score_from_stats([int(value) for value in counts]).score)


def _library() -> Any:
    try:
        from sacrebleu import metrics
    except ImportError:
        raise MissingExtraError("sacrebleu is not installed: pip install 'seqwise[translation]'") from None
    return metrics
