from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toy_fit import Batches, loss, network, parameters_of

from seqwise.errors import DeviceError
from seqwise.training import TrainingSettings, train
from seqwise.training.engine import Engine

HERE = Path(__file__).parent


def test_a_fit_takes_the_precision_of_its_settings_whatever_else_in_the_process_uses_accelerate():
    script = """
import warnings; warnings.simplefilter("error")
import torch
from accelerate import Accelerator
from toy_fit import Batches, network, parameters_of
from seqwise.training import TrainingSettings, train

theirs = Accelerator(mixed_precision="bf16", cpu=True)
seen = []
def loss(model, batch):
    logits = model(batch[0])
    seen.append(logits.dtype)
    return torch.nn.functional.cross_entropy(logits.float(), batch[1], reduction="none")
for precision in ("float32", "bfloat16"):
    train(network(), Batches, loss, settings=TrainingSettings(epochs=1, precision=precision))
    print(*sorted(map(str, set(seen)))); seen.clear()
print(theirs.mixed_precision, theirs.native_amp)
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=HERE, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == ["torch.float32", "torch.bfloat16", "bf16 True"], run.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none_is_a_device_error():
    with pytest.raises(DeviceError, match="no CUDA device is available: use --device cpu or auto"):
        train(network(), Batches, loss, settings=TrainingSettings(device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_cpu_and_cuda_fits_of_any_precision_live_in_one_process(precision):
    on_cpu, on_cuda = network(), network()
    train(on_cpu, Batches, loss, settings=TrainingSettings(epochs=2, device="cpu"))
    train(on_cuda, Batches, loss, settings=TrainingSettings(epochs=2, device="cuda", precision=precision))
    tolerance = {"float32": 1e-5, "bfloat16": 2e-2}[precision]  # 24 and 8 bits of mantissa, twelve steps
    torch.testing.assert_close(parameters_of(on_cuda).cpu(), parameters_of(on_cpu), rtol=tolerance, atol=tolerance)


class _Three:
    """A process of three, without the other two."""

    def __init__(self, rank):
        self.rank, self.world = rank, 3

    deal, steps, _deal_indexed, _deal_iterated = Engine.deal, Engine.steps, Engine._deal_indexed, Engine._deal_iterated


class _Sized:
    """Seven batches that can be iterated but not indexed."""

    def __len__(self):
        return 7

    def __iter__(self):
        return iter("abcdefg")


@pytest.mark.parametrize("batches", ["abcdefg", _Sized()], ids=["indexed", "iterated"])
@pytest.mark.parametrize("skip", [0, 1, 2, 3])
def test_every_batch_counts_once_over_all_processes(batches, skip):
    engines = [_Three(rank) for rank in range(3)]
    dealt = [list(engine.deal(batches, skip)) for engine in engines]
    assert {len(part) for part in dealt} == {engines[0].steps(batches) - skip}  # all take part in every step
    assert sorted(batch for part in dealt for batch, counts in part if counts) == list("abcdefg"[3 * skip :])


@pytest.mark.slow
def test_two_processes_are_one_with_batches_twice_as_large(tmp_path):
    """Under torchrun, unchanged; 96 examples in batches of 20 leave the second process one short in the last step."""
    script = tmp_path / "fit.py"
    script.write_text(
        f"""
import json, sys, warnings
sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
from toy_fit import Batches, loss, network, parameters_of, validate
from seqwise.training import TrainingSettings, train
settings = TrainingSettings(
    epochs=3, optimizer="momentum", learning_rate=0.05, clip_norm=0.5, metric="accuracy", device="cpu", average="ema"
)
model = network()
folder = Path({str(tmp_path)!r})
history = train(model, lambda epoch: Batches(epoch, 20), loss, settings=settings, validate=validate, folder=folder)
resumed = train(
    network(), lambda epoch: Batches(epoch, 20), loss, settings=settings, validate=validate, folder=folder, resume=True
)
import torch.distributed as dist
result = [parameters_of(model).tolist(), history.losses, [entry["examples"] for entry in history.epochs], resumed.losses]
(folder / f"rank{{dist.get_rank()}}.json").write_text(json.dumps(result))
dist.destroy_process_group()
"""
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script]
    run = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False, timeout=240
    )
    assert run.returncode == 0, run.stderr
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1))
    assert first == second

    class Pairs(Batches):
        def __init__(self, epoch):
            super().__init__(epoch, 20)
            self.parts = [torch.cat(self.parts[i : i + 2]) for i in range(0, len(self.parts), 2)]

    model = network()
    settings = TrainingSettings(
        epochs=3, optimizer="momentum", learning_rate=0.05, clip_norm=0.5, metric="accuracy", average="ema"
    )
    from toy_fit import validate

    history = train(model, Pairs, loss, settings=settings, validate=validate)
    torch.testing.assert_close(torch.tensor(first[0]), parameters_of(model), rtol=1e-5, atol=1e-6)
    assert first[1] == pytest.approx(history.losses, rel=1e-5)
    assert first[2] == [96, 96, 96]
    assert first[3] == first[1]
