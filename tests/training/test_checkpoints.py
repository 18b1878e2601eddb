from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from toy_fit import Batches, loss, network, parameters_of, validate

from seqwise.errors import ConfigurationError, FileError
from seqwise.training import Callback, TrainingSettings, checkpoint_store, train
from seqwise.training.checkpoint_store import checkpoints

HERE = Path(__file__).parent
SETTINGS = {"epochs": 4, "metric": "accuracy", "checkpoint_seconds": 1e-9}


def fit(folder, *, model=None, resume=False, callbacks=(), batches=Batches, fingerprint="toy", **settings):
    model = model or network(dropout=0.2)
    history = train(
        model,
        batches,
        loss,
        settings=TrainingSettings(**{**SETTINGS, **settings}),
        validate=validate,
        callbacks=callbacks,
        folder=folder,
        resume=resume,
        fingerprint=fingerprint,
    )
    return parameters_of(model), history


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nobody cuts the power in these tests."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


class Crash(Callback):
    """Ends the fit as a crash does: no finish, no last checkpoint."""

    def __init__(self, epoch, step):
        self.at = (epoch, step)

    def on_step(self, run):
        if (run.epoch, run.step) == self.at:
            raise MemoryError


def crashed(folder, epoch=1, step=4, **options):
    with pytest.raises(MemoryError):
        fit(folder, callbacks=[Crash(epoch, step)], **options)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Every scenario of killed_fits.py, by name."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    run = subprocess.run(
        [sys.executable, "killed_fits.py", tmp_path_factory.mktemp("killed")],
        cwd=HERE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


# Steps before which the resumed fit begins: with a checkpoint after every step, the one after the last that was sealed.
@pytest.mark.parametrize(
    ("name", "first_step"),
    [
        ("at the first step", 1),
        ("in the middle of an epoch", 9),
        ("after the last step of an epoch", 12),
        ("in the last epoch", 29),
        ("in mid-epoch with a checkpoint an epoch", None),
        ("in mid-epoch with the mean of epoch ends", 20),
        ("in the middle of a full-batch step", 13),
        ("before the tensors are written", None),
        ("after the tensors are written", None),
        ("between state and seal", None),
        ("before the rename", None),
        ("after the rename", None),
        ("from outside, at any moment", None),
    ],
)
def test_a_fit_killed_anywhere_resumes_to_the_same_bits(killed, name, first_step):
    result = killed[name]
    assert result["signal"] == signal.SIGKILL
    assert result["final"] == result["expected"]
    assert [record["epoch"] for record in result["history"]] == [1, 2, 3, 4, 5]
    assert result["left_over"] == []
    assert result["first_step"] > 1 or name == "at the first step"
    if first_step is not None:
        assert result["first_step"] == first_step


def test_passing_over_done_steps_builds_no_batch_that_can_be_indexed(tmp_path):
    class Indexed(Batches):
        def __init__(self, epoch):
            super().__init__(epoch)
            built.append([])

        def __getitem__(self, index):
            built[-1].append(index)
            return list(Batches.__iter__(self))[index]

    built: list[list[int]] = []
    whole, _ = fit(tmp_path / "whole", batches=Indexed)
    assert built == [[0, 1, 2, 3, 4, 5]] * 4
    crashed(tmp_path / "crashed", batches=Indexed)
    built.clear()
    resumed, _ = fit(tmp_path / "crashed", batches=Indexed, resume=True)
    assert built[0] == [3, 4, 5]  # the crash came before the checkpoint of the fourth step
    assert torch.equal(resumed, whole)


def test_the_last_two_checkpoints_are_kept_and_one_small_one_at_the_end(tmp_path):
    crashed(tmp_path)
    kept = checkpoints(tmp_path / "checkpoints")
    assert len(kept) == 2
    size = (kept[-1] / "tensors.safetensors").stat().st_size
    fit(tmp_path, resume=True)
    kept = checkpoints(tmp_path / "checkpoints")
    assert len(kept) == 1
    assert (kept[0] / "tensors.safetensors").stat().st_size < size
    assert not list(tmp_path.rglob("*.pt"))


def test_a_checkpoint_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    done = []
    rename = Path.rename
    monkeypatch.setattr(os, "fsync", lambda handle: done.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name))
    monkeypatch.setattr(Path, "rename", lambda path, target: done.append("rename") or rename(path, target))
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to see which file is meant")
    checkpoint_store.save_checkpoint(tmp_path, {"a": torch.ones(2)})
    temporary = f".writing-{os.getpid()}"
    assert done == ["tensors.safetensors", "state.json", "seal.json", temporary, "rename", tmp_path.name]


def test_resuming_a_finished_fit_trains_nothing_and_gives_its_weights(tmp_path):
    first, history = fit(tmp_path)
    files = sorted(tmp_path.rglob("*"))
    second, again = fit(tmp_path, resume=True, model=network(seed=9))
    assert torch.equal(first, second)
    assert again.epochs == history.epochs
    assert again.losses == history.losses
    assert (again.stopped, again.best_epoch, again.best_value) == ("finished", history.best_epoch, history.best_value)
    assert sorted(tmp_path.rglob("*")) == files


def test_resuming_where_there_is_no_checkpoint_starts_from_scratch(tmp_path):
    whole, _ = fit(tmp_path / "whole")
    resumed, _ = fit(tmp_path / "new", resume=True)
    assert torch.equal(resumed, whole)


def test_an_interrupted_fit_can_go_on(tmp_path):
    class PressControlC(Callback):
        def on_step(self, run):
            if (run.epoch, run.step) == (2, 3):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)

    whole, _ = fit(tmp_path / "whole", checkpoint_seconds=3600)
    _, history = fit(tmp_path / "cut", callbacks=[PressControlC()], checkpoint_seconds=3600)
    assert history.interrupted
    resumed, history = fit(tmp_path / "cut", resume=True, checkpoint_seconds=3600)
    assert torch.equal(resumed, whole)
    assert [(entry["epoch"], entry["complete"]) for entry in history.epochs] == [(n, True) for n in (1, 2, 3, 4)]


def test_a_fit_that_ran_out_of_time_goes_on_with_a_larger_budget(tmp_path):
    class Slow(Callback):
        def on_step(self, run):
            time.sleep(0.01)

    _, first = fit(tmp_path, time_budget=0.4, epochs=30, callbacks=[Slow()])
    assert first.stopped == "time"
    _, second = fit(tmp_path, time_budget="1h", epochs=30, resume=True)
    assert second.stopped == "finished"
    assert second.losses[: len(first.losses)] == first.losses
    assert [entry["epoch"] for entry in second.epochs] == list(range(1, 31))


def test_a_fresh_fit_removes_the_checkpoints_of_an_earlier_one(tmp_path):
    crashed(tmp_path, epoch=2)
    crashed(tmp_path, epoch=0, step=2)
    assert max(int(path.name) for path in checkpoints(tmp_path / "checkpoints")) <= 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"learning_rate": 0.5}, r"training\.learning_rate 0\.001, not 0\.5"),
        ({"epochs": 7}, r"training\.epochs 4, not 7"),
        ({"fingerprint": "other"}, "other data"),
        ({"model": torch.nn.Linear(6, 3)}, "does not fit the model"),
    ],
)
def test_a_checkpoint_of_another_fit_is_refused(tmp_path, changed, message):
    crashed(tmp_path)
    with pytest.raises(ConfigurationError, match=message):
        fit(tmp_path, resume=True, **changed)


def test_where_and_how_long_may_change(tmp_path):
    crashed(tmp_path)
    fit(tmp_path, resume=True, device="cpu", time_budget="1h", checkpoint_seconds=5)


@pytest.mark.parametrize("part", ["tensors.safetensors", "state.json", "seal.json"])
@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, part, damage):
    whole, _ = fit(tmp_path / "whole")
    crashed(tmp_path / "crashed")
    path = checkpoints(tmp_path / "crashed" / "checkpoints")[-1] / part
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.warns(UserWarning, match=f"{path.parent.name} is damaged .*: trying the one before"):
        resumed, _ = fit(tmp_path / "crashed", resume=True)
    assert torch.equal(resumed, whole)


def test_only_damaged_checkpoints_are_an_error(tmp_path):
    crashed(tmp_path)
    for path in checkpoints(tmp_path / "checkpoints"):
        (path / "seal.json").write_text("[]")
    with pytest.warns(UserWarning, match="is damaged"), pytest.raises(FileError, match="--overwrite"):
        fit(tmp_path, resume=True)


def test_a_newer_checkpoint_format_is_not_read(tmp_path):
    crashed(tmp_path)
    for path in checkpoints(tmp_path / "checkpoints"):
        seal = json.loads((path / "seal.json").read_text())
        (path / "seal.json").write_text(json.dumps({**seal, "format_version": 2}))
    with pytest.warns(UserWarning, match="format 2, this version reads 1"), pytest.raises(FileError):
        fit(tmp_path, resume=True)


def test_a_full_disk_is_a_warning_and_training_goes_on(tmp_path, monkeypatch):
    whole, _ = fit(tmp_path / "whole")

    def full(path, content):
        path.write_bytes(content[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint_store, "_write_bytes", full)
    with pytest.warns(UserWarning, match=r"no checkpoint could be written .*No space left on device.*training goes on"):
        fitted, history = fit(tmp_path / "full")
    assert torch.equal(fitted, whole)
    assert history.stopped == "finished"
    assert list((tmp_path / "full" / "checkpoints").iterdir()) == []


def test_on_a_full_disk_the_oldest_checkpoint_gives_way(tmp_path, monkeypatch):
    crashed(tmp_path)
    before = checkpoints(tmp_path / "checkpoints")
    original = checkpoint_store._write_tensors

    def full_with_two(path, tensors):
        if len(checkpoints(tmp_path / "checkpoints")) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path, tensors)

    monkeypatch.setattr(checkpoint_store, "_write_tensors", full_with_two)
    crashed(tmp_path, epoch=1, step=5, resume=True)
    after = checkpoints(tmp_path / "checkpoints")
    assert len(after) == 2
    assert after[0] == before[1]


def test_a_real_full_disk_leaves_no_half_files(tmp_path):
    """A file-size limit stands for the disk: writing beyond it fails in the kernel, in the middle of a file."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, hard))
    try:
        with pytest.warns(UserWarning, match="training goes on"):
            fit(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_short_epochs_do_not_spend_their_time_on_checkpoints(tmp_path, monkeypatch):
    written = []
    original = checkpoint_store.save_checkpoint

    def slow(folder, tree, kept):
        time.sleep(0.05)
        written.append(tree["run"]["epoch"])
        return original(folder, tree, kept)

    monkeypatch.setattr("seqwise.training.checkpoints.save_checkpoint", slow)
    fit(tmp_path, checkpoint_seconds=3600, epochs=20)
    assert written[0] == 1
    assert written[-1] == 20
    assert len(written) < 10
    shutil.rmtree(tmp_path / "checkpoints")
