"""The honest baselines of a regressor: the mean, and a linear model of n-grams or of the statistics of the frames.

Axis letters: n examples, F features, K targets, D channels.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix

from seqwise.data import Frames
from seqwise.errors import DataError
from seqwise.text import NgramFeatures, choose_unit

MEAN, LINEAR = "mean", "ridge regression on tf-idf n-grams"
OF_FRAMES = "linear regression on the statistics of the frames"
PENALTIES = (0.3, 1.0, 3.0, 10.0)  # of which the best on a tenth of the training examples is taken
WORDS, CHARACTERS, MOST = (1, 2), (1, 5), 200_000
STATISTICS = ("mean", "deviation", "least", "greatest", "first", "last", "mean change")


@dataclass(frozen=True)
class RegressionBaseline:
    """A fitted linear model.

    Attributes:
        features: n-grams; None where it reads frames.
        centre: of the statistics of frames, (F,), and their `spread`; empty for texts.
        spread: see `centre`.
        weight: (F, K) float32.
        bias: (K,), float64.
        mean: of the training targets, (K,).
        bounds: the least and greatest training targets, (2, K), to which answers are cut, or None.
        description: what it is.
        seconds: that the fit took.
    """

    features: NgramFeatures | None
    centre: np.ndarray
    spread: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    mean: np.ndarray
    bounds: np.ndarray | None
    description: str
    seconds: float

    @classmethod
    def fit(
        cls,
        inputs: Any,
        targets: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        unit: str = "auto",
        bounded: bool = False,
        seed: int = 0,
    ) -> Self:
        """Fit on what a regressor is fitted on; the penalty is the best of four on a tenth of it.

        Args:
            inputs: texts, or `Frames`.
            targets: (n, K).
            weights: (n,) or None.
            unit: of texts, as in `TextSettings`.
            bounded: cut answers to the range of the targets, as the model does.
            seed: of the tenth.
        """
        from sklearn.linear_model import Ridge

        started = time.perf_counter()
        features, centre, spread = None, np.empty(0), np.empty(0)
        if isinstance(inputs, Frames):
            matrix: Any = frame_statistics(inputs)
            centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
            spread = np.where(spread > 0, spread, 1.0)
            matrix = (matrix - centre) / spread
        else:
            features = _ngrams(inputs, unit)
            matrix = _matrix(features, features.fit_transform(inputs))
        mean = np.average(targets, axis=0, weights=weights)
        scale = np.where(targets.std(axis=0) > 0, targets.std(axis=0), 1.0)
        standardised = (targets - mean) / scale

        def solved(rows: np.ndarray, penalty: float) -> Any:
            model = Ridge(alpha=penalty, solver="auto" if features is None else "sparse_cg", tol=1e-3)
            return model.fit(matrix[rows], standardised[rows], None if weights is None else weights[rows])

        order = np.random.default_rng(seed).permutation(len(targets))
        tenth = max(len(order) // 10, 1)
        held, rest = np.sort(order[:tenth]), np.sort(order[tenth:])
        penalty = 1.0
        if len(rest) > 10:
            errors = [
                np.square(np.reshape(solved(rest, of).predict(matrix[held]), (tenth, -1)) - standardised[held]).mean()
                for of in PENALTIES
            ]
            penalty = PENALTIES[int(np.argmin(errors))]
        model = solved(np.sort(order), penalty)
        weight = np.atleast_2d(model.coef_).T * scale
        bias = np.broadcast_to(model.intercept_, mean.shape) * scale + mean
        bounds = np.stack([targets.min(axis=0), targets.max(axis=0)]) if bounded else None
        name = LINEAR if features is not None else OF_FRAMES
        seconds = time.perf_counter() - started
        return cls(features, centre, spread, weight.astype(np.float32), np.array(bias), mean, bounds, name, seconds)

    def predict(self, inputs: Any) -> np.ndarray:
        """Return the numbers of each input, (n, K)."""
        matrix: Any
        if self.features is None:
            matrix = (frame_statistics(Frames.from_rows(inputs)) - self.centre) / self.spread
        else:
            matrix = _matrix(self.features, self.features.transform(inputs))
        answers = np.asarray(matrix @ self.weight, dtype=np.float64) + self.bias
        return answers if self.bounds is None else np.clip(answers, *self.bounds)

    def constant(self, count: int) -> np.ndarray:
        """Return the mean of the training targets so many times, (n, K)."""
        return np.tile(self.mean, (count, 1))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; the weights are float32 numbers as base64."""
        return {
            "kind": "regression",
            "features": None if self.features is None else self.features.to_dict(),
            "centre": self.centre.tolist(),
            "spread": self.spread.tolist(),
            "weight": base64.b64encode(np.ascontiguousarray(self.weight, "<f4").tobytes()).decode("ascii"),
            "bias": self.bias.tolist(),
            "mean": self.mean.tolist(),
            "bounds": None if self.bounds is None else self.bounds.tolist(),
            "description": self.description,
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, saved: Any) -> Self:
        """Return the baseline that `to_dict` described.

        Raises:
            DataError: it described none.
        """
        if not isinstance(saved, Mapping) or saved.get("kind") != "regression":
            raise DataError("this is no baseline of a regressor")
        try:
            features = None if saved["features"] is None else NgramFeatures.from_dict(saved["features"])
            bias, mean = (np.array(saved[name], dtype=np.float64) for name in ("bias", "mean"))
            centre, spread = (np.array(saved[name], dtype=np.float64) for name in ("centre", "spread"))
            weight = np.frombuffer(base64.b64decode(saved["weight"]), "<f4").astype(np.float32)
            weight = weight.reshape(len(centre) if features is None else len(features), len(bias))
            bounds = None if saved["bounds"] is None else np.array(saved["bounds"], dtype=np.float64)
            description, seconds = str(saved["description"]), float(saved["seconds"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"the baseline of a regressor lacks or garbles {error}") from None
        if not all(np.isfinite(part).all() for part in (weight, bias, mean, centre, spread)):
            raise DataError("the baseline of a regressor holds numbers that are not finite")
        return cls(features, centre, spread, weight, bias, mean, bounds, description, seconds)


def frame_statistics(frames: Frames) -> np.ndarray:
    """Return the statistics of each sequence, channel by channel, and its length, (n, 7 D + 1).

    Missing numbers are left out. A channel without any number counts as zero.
    """
    rows = []
    for row in frames:
        values = row.astype(np.float64)
        known = np.isfinite(values)
        columns = [values[known[:, d], d] if known[:, d].any() else np.zeros(1) for d in range(values.shape[1])]
        of = [
            [c.mean(), c.std(), c.min(), c.max(), c[0], c[-1], np.abs(np.diff(c)).mean() if len(c) > 1 else 0.0]
            for c in columns
        ]
        rows.append([*np.ravel(of), len(values)])
    return np.array(rows, dtype=np.float64).reshape(len(frames), -1)


def _ngrams(texts: Sequence[Any], unit: str) -> NgramFeatures:
    unit = choose_unit(texts) if unit == "auto" else unit
    of_characters = unit == "characters"
    return NgramFeatures(
        words=None if of_characters else WORDS,
        characters=CHARACTERS if of_characters else None,
        max_features=MOST,
        min_documents=2 if len(texts) >= 1000 else 1,
        unit="tokens" if unit in ("tokens", "whitespace") else "words",
    )


def _matrix(features: NgramFeatures, rows: Any) -> csr_matrix:
    return csr_matrix((rows.values, rows.ids, rows.offsets), shape=(len(rows), len(features)))
