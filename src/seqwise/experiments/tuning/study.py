"""The search itself, as optuna keeps it: where it is stored, when a trial is given up, what has mattered."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from seqwise.errors import FileError, MissingExtraError
from seqwise.training import Callback

JOURNAL = "trials.journal"  # of optuna: what the search goes on from
STAGES = 10  # of a fit at which a trial may be given up
SAFE = 6  # trials before any is given up, and before importance means anything


class GivenUp(Exception):
    """The fit of a trial ends before its end."""


class Watch(Callback):
    """Reports the validation figure at every tenth of a fit, and gives up what lags behind or comes too late.

    Args:
        trial: of optuna; None only keeps the time.
        deadline: on `time.monotonic`.
        metric: of the loop's validation figures.
    """

    def __init__(self, trial: Any, deadline: float, metric: str) -> None:
        self._trial, self._deadline, self._metric, self._stage = trial, deadline, metric, 0

    def on_epoch(self, run: Any, record: dict[str, Any]) -> None:
        """Report, and see whether to go on.

        Raises:
            GivenUp: no.
        """
        if time.monotonic() > self._deadline:
            raise GivenUp("no time left")
        value = record["validation"].get(self._metric)
        # By the share of the fit that is over: trials of few and of many epochs meet at the same stages. (A second seed
        # comes to stages that the first has told of.)
        stage = round(STAGES * run.epoch / run.settings.epochs)
        if self._trial is None or value is None or stage <= self._stage:
            return
        self._stage = stage
        self._trial.report(value, stage)
        if self._trial.should_prune():
            raise GivenUp("behind the others")


def load_optuna() -> Any:
    """Return the library, told to be quiet.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("tune needs optuna: pip install 'seqwise[tune]'") from None
    optuna.logging.set_verbosity(logging.WARNING)
    return optuna


def open_study(optuna: Any, folder: Path, fingerprint: str, seed: int) -> Any:
    """Open the search of the folder, or begin one.

    Args:
        optuna: the library.
        folder: made if need be.
        fingerprint: of data and fixed settings.
        seed: of the suggestions.

    Raises:
        FileError: the folder holds a search on other data or with other settings.
    """
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    folder.mkdir(parents=True, exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL)))
    study = optuna.create_study(
        storage=storage,
        study_name="seqwise",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.PercentilePruner(50.0, n_startup_trials=SAFE, n_warmup_steps=STAGES // 3),
    )
    known = study.user_attrs.get("fingerprint")
    if known is None:
        study.set_user_attr("fingerprint", fingerprint)
    elif known != fingerprint:
        raise FileError(
            f"{folder} holds a search on other data, with other fixed settings, or by another metric: "
            "choose another folder"
        )
    for trial in study.trials:
        if trial.state == optuna.trial.TrialState.RUNNING:  # of a call that was killed
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    # Another seed for each call: the same one would suggest what an earlier call has tried.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def complete_trials(optuna: Any, study: Any) -> list[Any]:
    """Return the trials that came to their end."""
    return [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]


def importance_of(optuna: Any, study: Any) -> dict[str, float]:
    """How much each setting explains, among the trials with the settings that most have; too few give nothing."""
    complete = complete_trials(optuna, study)
    recurrent = [trial for trial in complete if "training.learning_rate" in trial.params]
    trials = recurrent if len(recurrent) > len(complete) / 2 else complete
    names = sorted(set.intersection(*(set(trial.params) for trial in trials))) if trials else []
    if len(trials) < SAFE or len({trial.value for trial in trials}) < 2 or not names:
        return {}
    found = optuna.importance.get_param_importances(
        study, params=names, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
    )
    return {name: float(share) for name, share in found.items()}
