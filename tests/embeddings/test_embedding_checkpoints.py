"""Training of word vectors that is interrupted and resumed, beside one that is not."""

import warnings

import numpy as np
import pytest

from seqwise.embeddings import slices, windows
from seqwise.embeddings.checkpoints import Checkpoint, checkpoint_path
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.tensor_format import write_arrays
from seqwise.embeddings.training import run_training
from seqwise.errors import ConfigurationError, FileError

SMALL = {"size": 7, "min_count": 1, "epochs": 2, "threads": 1, "seed": 3}


@pytest.fixture
def sentences(monkeypatch):
    monkeypatch.setattr(slices.SliceTrainer, "slice", 100)
    random = np.random.default_rng(0)
    return [[f"w{i}" for i in random.zipf(1.5, 9) % 50] for _ in range(200)]


def interrupt_after(monkeypatch, count):
    """Ctrl-C once so many slices were dealt out; again and again, until `monkeypatch.undo`."""
    take = slices.Schedule.take
    taken = [0]

    def counted(schedule):
        part = take(schedule)
        taken[0] += part is not None
        if taken[0] >= count:
            schedule.stopped = schedule._trainer.interrupted = True
            taken[0] = 0
        return part

    monkeypatch.setattr(slices.Schedule, "take", counted)


@pytest.mark.parametrize("model", ["skipgram", "cbow"])
@pytest.mark.parametrize("further", [{"objective": "hierarchical"}, {"objective": "nce"}, {}, {"ngrams": (3, 4)}])
def test_interrupted_many_times_and_resumed_gives_the_same_bytes(sentences, tmp_path, monkeypatch, model, further):
    settings = EmbeddingSettings(model=model, **further, **SMALL)
    whole = run_training(sentences, settings)
    assert whole.finished
    checkpoint = Checkpoint(checkpoint_path(tmp_path / "words.bin"))
    interrupt_after(monkeypatch, 7)
    first = run_training(sentences, settings, checkpoint=checkpoint)
    assert not first.finished
    assert not np.array_equal(first.vectors.vectors, whole.vectors.vectors)
    runs = 1
    while not (last := run_training(sentences, settings, checkpoint=checkpoint, resume=True)).finished:
        assert last.resumed
        runs += 1
    assert runs == 2 * 18 // 7  # 1,800 words and 200 ends of sentences: 18 or 19 slices an epoch
    assert last.vectors.words == whole.vectors.words
    assert last.vectors.vectors.tobytes() == whole.vectors.vectors.tobytes()


def test_checkpoints_written_now_and_then_change_nothing(sentences, tmp_path, monkeypatch):
    settings = EmbeddingSettings(**SMALL)
    whole = run_training(sentences, settings)
    written = []
    write = Checkpoint.write
    monkeypatch.setattr(Checkpoint, "write", lambda *given: written.append(write(*given)))
    take = slices.Schedule.take

    def paused(schedule):
        part = take(schedule)
        schedule.stopped = part is not None  # as when the seconds are over
        return part

    monkeypatch.setattr(slices.Schedule, "take", paused)
    checkpoint = Checkpoint(tmp_path / "a[1].checkpoint", 1000)
    (tmp_path / ".a[1].checkpoint.123").write_bytes(b"half")  # of a run that was killed
    checked = run_training(sentences, settings, checkpoint=checkpoint)
    assert len(written) > 30
    assert all(written)
    assert checked.vectors.vectors.tobytes() == whole.vectors.vectors.tobytes()
    checkpoint.delete()
    assert list(tmp_path.iterdir()) == []


class _Interrupted(Checkpoint):
    """Ctrl-C comes while the first one is written."""

    calls = 0

    def write(self, *given):
        self.calls += 1
        if self.calls == 1:
            raise KeyboardInterrupt
        return super().write(*given)


@pytest.mark.parametrize(("model", "epochs"), [("nplm", 30), ("glove", 20_000)])
def test_other_models_are_resumed_from_a_file_to_the_same_bytes(sentences, tmp_path, model, epochs):
    settings = EmbeddingSettings(model=model, **SMALL | {"epochs": epochs})
    whole = run_training(sentences, settings)
    checkpoint = _Interrupted(tmp_path / "a.checkpoint", 0.02)
    first = run_training(sentences, settings, checkpoint=checkpoint)
    assert not first.finished
    assert not np.array_equal(first.vectors.vectors, whole.vectors.vectors)
    last = run_training(sentences, settings, checkpoint=checkpoint, resume=True)
    assert last.finished
    assert last.resumed
    assert last.vectors.vectors.tobytes() == whole.vectors.vectors.tobytes()


def test_seconds_stop_a_training_that_then_goes_on(sentences):
    settings = EmbeddingSettings(**SMALL | {"epochs": 3000})
    tokens = np.array([int(word[1:]) for row in sentences for word in row], np.int32)
    trainer = windows.WindowTrainer(tokens, np.bincount(tokens, minlength=50).astype(np.int64) + 1, settings)
    reports = []
    assert not trainer.train(2, reports.append, seconds=0.05)
    assert not trainer.interrupted
    assert 0 < reports[-1].words < reports[-1].total
    before = trainer.state()["epoch"]
    assert not trainer.train(2, None, seconds=0.05)
    assert trainer.state()["epoch"] > before


def checkpoint_of(sentences, folder, monkeypatch, **options):
    checkpoint = Checkpoint(folder / "a.checkpoint")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 7)
        assert not run_training(sentences, EmbeddingSettings(**SMALL), checkpoint=checkpoint, **options).finished
    return checkpoint


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({"size": 8}, {}, "was made with size 7, not 8: resume with the same, or start again without --resume"),
        ({"seed": 4}, {}, "was made with seed 3, not 4"),
        ({"model": "cbow"}, {}, "was made with model skipgram, not cbow"),
        ({"rate": 0.1}, {}, "was made with rate none, not 0.1"),
        ({}, {"running": True}, "was made with running False, not True"),
        ({}, {"clean": str.upper}, r"was made with clean none, not str\.upper"),
    ],
)
def test_another_setting_is_named(sentences, tmp_path, monkeypatch, settings, options, message):
    checkpoint = checkpoint_of(sentences, tmp_path, monkeypatch)
    with pytest.raises(ConfigurationError, match=message):
        run_training(sentences, EmbeddingSettings(**SMALL | settings), checkpoint=checkpoint, resume=True, **options)


def test_another_corpus_is_refused_and_threads_may_differ(sentences, tmp_path, monkeypatch):
    checkpoint = checkpoint_of(sentences, tmp_path, monkeypatch)
    settings = EmbeddingSettings(**SMALL | {"threads": 2})
    assert run_training(sentences, settings, checkpoint=checkpoint, resume=True).finished
    swapped = [*sentences[1:], sentences[0]]  # the same words as often
    with pytest.raises(ConfigurationError, match="another corpus"):
        run_training(swapped, settings, checkpoint=checkpoint, resume=True)


def test_without_a_checkpoint_training_begins_at_the_beginning(sentences, tmp_path):
    training = run_training(
        sentences, EmbeddingSettings(**SMALL), checkpoint=Checkpoint(tmp_path / "none.checkpoint"), resume=True
    )
    assert training.finished
    assert not training.resumed


def test_a_damaged_checkpoint_is_refused(sentences, tmp_path, monkeypatch):
    checkpoint = checkpoint_of(sentences, tmp_path, monkeypatch)
    sound = checkpoint.path.read_bytes()
    other = tmp_path / "other"
    with other.open("wb") as stream:
        write_arrays(stream, {"vectors": np.zeros((2, 3), np.float32)}, {})
    for content, message in (
        (sound[:-1], "is truncated"),
        (b"", "no .safetensors file"),
        (sound.replace(b'"inputs"', b'"INPUTS"'), "is damaged: its inputs do not fit"),
        (sound.replace(b'\\"epoch\\"', b'\\"EPOCH\\"'), "is damaged: its epoch do not fit"),
        (other.read_bytes(), "is no checkpoint of word vectors"),
    ):
        checkpoint.path.write_bytes(content)
        with pytest.raises(FileError, match=message):
            run_training(sentences, EmbeddingSettings(**SMALL), checkpoint=checkpoint, resume=True)


def test_a_checkpoint_that_cannot_be_written_is_a_warning_and_the_last_one_stays(sentences, tmp_path, monkeypatch):
    checkpoint = checkpoint_of(sentences, tmp_path, monkeypatch)
    sound = checkpoint.path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("seqwise.embeddings.checkpoints.write_arrays", full)
        interrupt_after(patch, 7)
        with pytest.warns(UserWarning, match=r"no new checkpoint: .* No space left on device; training goes on"):
            run_training(sentences, EmbeddingSettings(**SMALL), checkpoint=checkpoint, resume=True)
    assert checkpoint.path.read_bytes() == sound
    assert [path.name for path in tmp_path.iterdir()] == ["a.checkpoint"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run_training(sentences, EmbeddingSettings(**SMALL), checkpoint=checkpoint, resume=True).finished
