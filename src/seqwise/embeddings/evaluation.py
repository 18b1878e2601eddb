"""How good word vectors are: analogies by section, and similarities that people gave.

Two kinds of file. Analogies, as `questions-words.txt` of word2vec: a line ": section", then lines of four words a b c d,
where d is to c as b is to a. Similarities: lines of two words and a score, separated by tabs, commas or spaces. In both,
blank lines and lines that begin with # are skipped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seqwise.data.catalogue import cache_folder, data_folders
from seqwise.data.files import utf8_lines
from seqwise.embeddings.vectors import AnalogyMethod, WordVectors
from seqwise.errors import DataError, FileError

RESTRICTION = 30_000  # the most frequent words: word2vec's own evaluation, and gensim's, asks only these
FOLDER = "embeddings"


@dataclass(frozen=True)
class EvaluationSet:
    """A public set: its file in the folder `embeddings`, and where it comes from."""

    title: str
    file: str
    source: str


SETS = {
    "google": EvaluationSet(
        "Google analogies", "questions-words.txt", "Mikolov et al. 2013, github.com/tmikolov/word2vec"
    ),
    "wordsim353": EvaluationSet(
        "WordSim-353", "en-ws-353-all.txt", "Finkelstein et al. 2002, github.com/mfaruqui/eval-word-vectors"
    ),
    "simlex999": EvaluationSet(
        "SimLex-999", "en-simlex-999.txt", "Hill et al. 2015, github.com/mfaruqui/eval-word-vectors"
    ),
    "men": EvaluationSet("MEN", "en-men-tr-3k.txt", "Bruni et al. 2014, github.com/mfaruqui/eval-word-vectors"),
    "rarewords": EvaluationSet(
        "RareWords", "en-rw-stanford.txt", "Luong et al. 2013, github.com/mfaruqui/eval-word-vectors"
    ),
}


@dataclass(frozen=True)
class AnalogySection:
    """Questions of one kind.

    Attributes:
        name: the section.
        questions: (a, b, c, d).
    """

    name: str
    questions: list[tuple[str, str, str, str]]


@dataclass(frozen=True)
class AnalogyScore:
    """Answers to the questions of one section, or of several.

    Attributes:
        name: the section.
        questions: how many there are.
        answered: those whose four words are all known; only they count.
        correct: those of which the first answer is the fourth word.
    """

    name: str
    questions: int
    answered: int
    correct: int

    @property
    def accuracy(self) -> float | None:
        """Correct among answered; None if none is answered."""
        return self.correct / self.answered if self.answered else None

    @property
    def coverage(self) -> float:
        """Answered among all; 0 of none."""
        return self.answered / self.questions if self.questions else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return what a machine reads."""
        counts = {"questions": self.questions, "answered": self.answered, "correct": self.correct}
        return {"name": self.name, **counts, "accuracy": self.accuracy, "coverage": self.coverage}


@dataclass(frozen=True)
class AnalogyResult:
    """Scores by section, and their totals: semantic, syntactic (sections named gram...) and all."""

    sections: list[AnalogyScore]

    @property
    def totals(self) -> list[AnalogyScore]:
        """Semantic and syntactic, if there are both, and all."""
        syntactic = [one for one in self.sections if one.name.startswith("gram")]
        semantic = [one for one in self.sections if not one.name.startswith("gram")]
        both = [_total("semantic", semantic), _total("syntactic", syntactic)] if syntactic and semantic else []
        return [*both, self.total]

    @property
    def total(self) -> AnalogyScore:
        """All questions."""
        return _total("all", self.sections)

    def to_dict(self) -> dict[str, Any]:
        """Return what a machine reads."""
        return {
            "kind": "analogies",
            "sections": [one.to_dict() for one in self.sections],
            "totals": [one.to_dict() for one in self.totals],
        }


@dataclass(frozen=True)
class SimilarityResult:
    """How cosines rank pairs of words beside people.

    Attributes:
        pairs: how many there are.
        known: those of which both words are known; only they count.
        spearman: rank correlation; None of fewer than two known pairs, or if one side is constant.
    """

    pairs: int
    known: int
    spearman: float | None

    @property
    def coverage(self) -> float:
        """Known among all; 0 of none."""
        return self.known / self.pairs if self.pairs else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return what a machine reads."""
        return {
            "kind": "similarities",
            "pairs": self.pairs,
            "known": self.known,
            "spearman": self.spearman,
            "coverage": self.coverage,
        }


Pair = tuple[str, str, float]


def read_evaluation(path: str | Path) -> list[AnalogySection] | list[Pair]:
    """The questions of a file of analogies, or the pairs of a file of similarities; the first line tells which.

    Raises:
        FileError: the file cannot be read, or is not UTF-8.
        DataError: a line is not what is expected; names it.
    """
    path = Path(path)
    sections: list[AnalogySection] = []
    pairs: list[Pair] = []
    for number, line in enumerate(utf8_lines(path), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith(":") and not pairs:
            sections.append(AnalogySection(text[1:].strip() or "unnamed", []))
        elif sections:
            words = text.split()
            if len(words) != 4:
                raise DataError(f"{path}, line {number}: four words are expected, not {text!r:.60}")
            sections[-1].questions.append((words[0], words[1], words[2], words[3]))
        else:
            pairs.append(_pair(text, path, number))
    if not sections and not pairs:
        raise DataError(f"{path} has neither questions nor pairs of words")
    return sections or pairs


def find_set(name: str) -> Path:
    """The file of a public set, in the folder `embeddings` of `$SEQWISE_DATA` or of the user's cache; or a file's path.

    Raises:
        FileError: it is not there; says where to get it and where to put it.
    """
    known = SETS.get(name.lower())
    if known is None:
        path = Path(name)
        if path.is_file():
            return path
        raise FileError(f"there is no file {name}, and the sets with a name are {', '.join(SETS)}")
    for _, folder in data_folders():
        path = folder / FOLDER / known.file
        if path.is_file():
            return path
    raise FileError(
        f"{known.title} is not here: get {known.file} ({known.source}) and put it into {cache_folder() / FOLDER} "
        f"or $SEQWISE_DATA/{FOLDER}"
    )


def evaluate_vectors(
    vectors: WordVectors,
    sets: Sequence[str] = tuple(SETS),
    *,
    restriction: int = RESTRICTION,
    method: AnalogyMethod = "add",
) -> dict[str, AnalogyResult | SimilarityResult]:
    """Scores on public sets or on files of one's own.

    Args:
        vectors: what to judge.
        sets: names of `SETS`, or paths.
        restriction: analogies are asked and answered with so many words, the most frequent; similarities with all.
        method: see `WordVectors.analogy`.

    Raises:
        FileError: a set is not here or cannot be read.
        DataError: a file is malformed.
    """
    contents = {name: read_evaluation(find_set(name)) for name in sets}
    results: dict[str, AnalogyResult | SimilarityResult] = {}
    for name, content in contents.items():
        if isinstance(content[0], AnalogySection):
            sections = [one for one in content if isinstance(one, AnalogySection)]
            results[name] = evaluate_analogies(vectors, sections, restriction=restriction, method=method)
        else:
            results[name] = evaluate_similarities(vectors, [one for one in content if isinstance(one, tuple)])
    return results


def evaluate_analogies(
    vectors: WordVectors,
    sections: Sequence[AnalogySection],
    *,
    restriction: int = RESTRICTION,
    method: AnalogyMethod = "add",
) -> AnalogyResult:
    """Share of analogies whose first answer is right, by section.

    Questions with an unknown word are left out, the three words of the question are never answered, and of words that
    differ only in case the most frequent stands for all: as gensim and word2vec's `compute-accuracy` do.

    Args:
        vectors: what to judge.
        sections: questions.
        restriction: ask and answer with so many words, the most frequent.
        method: see `WordVectors.analogy`.

    Raises:
        DataError: the restriction is less than one word.
    """
    if restriction < 1:
        raise DataError(f"restriction: at least one word is needed, not {restriction}")
    frequent = _one_of_each_case(vectors.most_frequent(restriction))
    scores = []
    for section in sections:
        known = []
        for question in section.questions:
            rows = [frequent.find(word) for word in question]
            if None not in rows:
                known.append(rows)
        correct = 0
        if known:
            asked = np.array(known, np.int64)
            answers, _ = frequent.complete(asked[:, :3], 1, method=method)
            correct = int((answers[:, 0] == asked[:, 3]).sum())
        scores.append(AnalogyScore(section.name, len(section.questions), len(known), correct))
    return AnalogyResult(scores)


def evaluate_similarities(vectors: WordVectors, pairs: Sequence[Pair]) -> SimilarityResult:
    """Spearman's rank correlation of cosines with the scores that people gave; pairs with an unknown word are left out.

    Args:
        vectors: what to judge.
        pairs: two words and a score.
    """
    from scipy.stats import spearmanr

    known, given = [], []
    for a, b, score in pairs:
        first, second = vectors.vector(a), vectors.vector(b)
        if first is not None and second is not None:
            known.append((first, second))
            given.append(score)
    spearman = None
    if len(known) > 1:
        both = np.array(known, np.float64)
        norms = np.linalg.norm(both, axis=2).prod(1)
        cosines = both.prod(1).sum(1) / np.where(norms > 0, norms, 1)
        if np.ptp(cosines) > 0 and np.ptp(given) > 0:
            spearman = float(spearmanr(cosines, given).statistic)
    return SimilarityResult(len(pairs), len(known), spearman)


def _one_of_each_case(vectors: WordVectors) -> WordVectors:
    rows = sorted({word.casefold(): i for i, word in reversed(list(enumerate(vectors.words)))}.values())
    return (
        vectors if len(rows) == len(vectors) else WordVectors([vectors.words[i] for i in rows], vectors.vectors[rows])
    )


def _total(name: str, scores: Sequence[AnalogyScore]) -> AnalogyScore:
    counted = ([one.questions, one.answered, one.correct] for one in scores)
    questions, answered, correct = np.sum([[0, 0, 0], *counted], axis=0).tolist()
    return AnalogyScore(name, questions, answered, correct)


def _pair(text: str, path: Path, number: int) -> Pair:
    fields = [field.strip() for field in re.split(r"[\t,]", text)] if re.search(r"[\t,]", text) else text.split()
    try:
        a, b, given = fields
        score = float(given)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise DataError(f'{path}, line {number}: two words and a score are expected (or ": section"), not {text!r:.60}')
    return a, b, score
