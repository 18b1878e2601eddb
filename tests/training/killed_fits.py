"""Run by test_checkpoints.py: fits that kill themselves with SIGKILL, and the same fits resumed.

Every fit is a child process (forked: torch is imported once). Prints, as JSON, for every scenario whether the child was
really killed, where the resumed fit began, and whether it ended with the bits of the fit that nobody killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import torch._dynamo  # noqa: F401 (every optimiser imports it: here once instead of in every child)
from toy_fit import Batches, loss, network, validate

from seqwise.training import Callback, TrainingSettings, checkpoint_store, train

STEPS = 6  # an epoch
os.fsync = lambda handle: (
    None
)  # a killed process loses nothing that it wrote: only a power failure would, and it is slow


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DieAfter(Callback):
    def __init__(self, epoch: int, step: int) -> None:
        self.epoch, self.step = epoch, step

    def on_step(self, run) -> None:
        if (run.epoch, run.step) == (self.epoch, self.step):
            die()


class Slow(Callback):
    def on_step(self, run) -> None:
        time.sleep(0.01)


class FirstStep(Callback):
    def __init__(self, path: Path) -> None:
        self.path = path

    def on_step(self, run) -> None:
        if not self.path.exists():
            self.path.write_text(str(run.epoch * STEPS + run.step))


def die_within(name: str, call: int, after: bool):
    """Make the call-th call of a function of checkpoint_store deadly, before it or after it."""
    original, count = getattr(checkpoint_store, name), [0]

    def deadly(*arguments):
        count[0] += 1
        if count[0] == call and not after:
            die()
        result = original(*arguments)
        if count[0] == call:
            die()
        return result

    setattr(checkpoint_store, name, deadly)


def fit(folder: Path, *, resume: bool, callbacks=(), **settings) -> None:
    model = network(dropout=0.2)
    train(
        model,
        lambda epoch: Batches(epoch, noisy=True),
        loss,
        settings=TrainingSettings(
            **{
                "epochs": 5,
                "optimizer": "adamw",
                "weight_decay": 0.1,
                "learning_rate": 0.02,
                "schedule": "one_cycle",
                "metric": "log_loss",
                "patience": 3,
                "average": "ema",
                "checkpoint_seconds": 1e-9,
                **settings,
            }
        ),
        validate=validate,
        callbacks=[*callbacks, FirstStep(folder / "first_step")],
        folder=folder,
        resume=resume,
        fingerprint="toy",
    )
    (folder / "final").write_bytes(b"".join(p.detach().numpy().tobytes() for p in model.parameters()))


def forked(action, doomed: Path | None = None) -> int:
    """Run the action in a child process and return the signal that ended it, 0 for none.

    Where `doomed` appears in the file system, the child is killed a moment later, wherever it is then.
    """
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if doomed is not None:
        while not doomed.exists():
            time.sleep(0.001)
        time.sleep(0.013)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit("a child failed")
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def scenario(folder: Path, prepare, settings) -> dict:
    folder.mkdir(parents=True)

    def doomed() -> None:
        callback = prepare()
        fit(folder, resume=False, callbacks=[callback] if callback else [], **settings)

    killed = forked(doomed, folder / "checkpoints" / "000009" if prepare is Slow else None)
    (folder / "first_step").unlink(missing_ok=True)
    forked(lambda: fit(folder, resume=True, **settings))
    return {
        "signal": killed,
        "first_step": int((folder / "first_step").read_text()) if (folder / "first_step").exists() else None,
        "final": (folder / "final").read_bytes().hex(),
        "history": [
            {key: value for key, value in json.loads(line).items() if key != "seconds"}
            for line in (folder / "history.jsonl").read_text().splitlines()
        ],
        "left_over": sorted(path.name for path in (folder / "checkpoints").iterdir() if not path.name.isdigit()),
    }


def main(root: Path) -> None:
    every_step, swa = {}, {"average": "swa", "optimizer": "momentum", "weight_decay": 0.0}
    epochs_only, full_batch = {"checkpoint_seconds": 3600}, {"optimizer": "gradient_descent", "learning_rate": 1.0}
    # A step writes: tensors, state.json, seal.json, then the folder's sync before and after the rename.
    scenarios = {
        "at the first step": (lambda: DieAfter(0, 1), every_step),
        "in the middle of an epoch": (lambda: DieAfter(1, 3), every_step),
        "after the last step of an epoch": (lambda: DieAfter(1, STEPS), every_step),
        "in the last epoch": (lambda: DieAfter(4, 5), every_step),
        "in mid-epoch with a checkpoint an epoch": (lambda: DieAfter(2, 4), epochs_only),
        "in mid-epoch with the mean of epoch ends": (lambda: DieAfter(3, 2), swa),
        "in the middle of a full-batch step": (lambda: DieAfter(2, 3), full_batch),
        "before the tensors are written": (lambda: die_within("_write_tensors", 9, False), every_step),
        "after the tensors are written": (lambda: die_within("_write_tensors", 9, True), every_step),
        "between state and seal": (lambda: die_within("_write_bytes", 18, False), every_step),
        "before the rename": (lambda: die_within("_sync", 17, False), every_step),
        "from outside, at any moment": (Slow, every_step),
        "after the rename": (lambda: die_within("_sync", 18, False), every_step),
    }
    results = {}
    for number, (name, (prepare, settings)) in enumerate(scenarios.items()):
        results[name] = scenario(root / str(number), prepare, settings)
        reference = root / f"reference {sorted(settings)}"
        if not reference.exists():
            reference.mkdir()
            forked(lambda reference=reference, settings=settings: fit(reference, resume=False, **settings))
        results[name]["expected"] = (reference / "final").read_bytes().hex()
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
