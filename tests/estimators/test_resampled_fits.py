"""Samplers and synthetic examples in a fit: what they change, and what they never reach."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.datasets import make_blobs
from sklearn.metrics import recall_score

from seqwise import SequenceClassifier, VectorClassifier
from seqwise.data import make_sampler, synthesise
from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators import synthetic
from seqwise.losses import SAMPLERS, ImbalanceSettings
from seqwise.models import EncodedExamples
from seqwise.training import Callback

SYNTHETIC = ("smote", "borderline_smote", "adasyn")
SMALL = {
    "architecture": "recurrent", "embedding_size": 8, "hidden_size": 8, "bidirectional": False, "epochs": 3,
    "unit": "words", "min_count": 1, "select": "last", "refit": False, "device": "cpu",
}  # fmt: skip
WORDS = {
    "ham": ["lunch", "home", "call", "now", "free"],
    "spam": ["win", "free", "prize", "call"],
    "odd": ["zzz", "now"],
}


def messages(seed=0, sizes=(60, 18, 8)):
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(list(WORDS), sizes))
    return [" ".join(random.choice(WORDS[label], random.integers(2, 6))) for label in labels], labels


def fitted(texts, labels, validation_data=None, **parameters):
    model = SequenceClassifier(**SMALL | parameters)
    return model.fit(texts, labels, validation_data=validation_data)


def weights_of(model, part="recurrent"):
    return {name: tensor.clone() for name, tensor in model.fitted_.module.parts[part].state_dict().items()}


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_an_epoch_of_the_fit_is_one_of_the_sampler(sampler):
    texts, labels = messages()
    model = fitted(texts, labels, sampler=sampler, validation=0)
    expected = [len(make_sampler(sampler, labels, epochs=3)(epoch)) for epoch in range(3)]
    assert [record["examples"] for record in model.history_] == expected
    assert same(weights_of(model), weights_of(fitted(texts, labels, validation=0))) == (sampler == "instance")


@pytest.mark.parametrize("treatment", [{"sampler": name} for name in SAMPLERS] + [{"synthetic": s} for s in SYNTHETIC])
def test_validation_examples_never_reach_the_training_nor_training_examples_the_validation(treatment):
    """Other validation texts change no weight, and the validation part holds each held-out text as often as it was given."""
    texts, labels = messages()
    held, held_labels = messages(seed=1, sizes=(9, 4, 3))
    others = ["prize zzz lunch"] * len(held)
    first = fitted(texts, labels, (held, held_labels), **treatment)
    second = fitted(texts, labels, (others, held_labels[::-1]), **treatment)
    assert same(weights_of(first), weights_of(second))
    assert list(first.validation_[0]) == held
    assert first.classes_[first.validation_[1]].tolist() == held_labels.tolist()
    assert len(first.validation_[2]) == len(held)


@pytest.mark.parametrize("treatment", [{"sampler": "oversample"}, {"sampler": "undersample"}, {"synthetic": "smote"}])
def test_data_are_split_before_they_are_resampled(treatment):
    texts, labels = messages()
    texts = [f"{text} number{i}" for i, text in enumerate(texts)]  # no two alike
    plain, treated = (fitted(texts, labels, validation=0.2, **values) for values in ({}, treatment))
    assert list(treated.validation_[0]) == list(plain.validation_[0])
    assert len(set(treated.validation_[0])) == len(treated.validation_[0]) == round(0.2 * len(texts))
    learned = set(treated.fitted_.features.vocabulary) if hasattr(treated.fitted_.features, "vocabulary") else set()
    assert not {f"number{i}" for i, text in enumerate(texts) if text in set(treated.validation_[0])} & learned


@pytest.mark.parametrize("method", SYNTHETIC)
def test_synthetic_examples_are_made_of_the_trained_encoder_and_change_the_head_alone(method, monkeypatch):
    texts, labels = messages()
    calls = []

    def spy(features, targets, **how):
        calls.append((features, targets, how))
        return synthesise(features, targets, **how)

    monkeypatch.setattr(synthetic, "synthesise", spy)
    plain, treated = fitted(texts, labels, validation=0), fitted(texts, labels, validation=0, synthetic=method)
    before, after = weights_of(plain), weights_of(treated)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"head.0.weight", "head.0.bias"}
    ((features, targets, how),) = calls
    assert how["method"] == method
    assert features.shape == (len(texts), treated.fitted_.module.parts["recurrent"].pooling.size)
    assert treated.classes_[targets].tolist() == labels.tolist()
    again = fitted(texts, labels, validation=0, synthetic=method)
    assert same(after, weights_of(again))


def test_what_the_head_learned_is_what_smote_made():
    texts, labels = messages()
    model = fitted(texts, labels, validation=0, epochs=20, learning_rate=0.03, synthetic="smote")
    part, examples = model.fitted_.module.parts["recurrent"], model.fitted_.features.encode(texts, np.zeros(len(texts)))
    pooled = synthetic.run_batched(part.pooled, examples, device=torch.device("cpu"))
    larger, targets = synthesise(pooled, labels, seed=0)
    predicted = model.classes_[part.head(torch.from_numpy(larger)).argmax(1).numpy()]
    assert recall_score(targets, predicted, average="macro") > 0.9


def test_large_data_leave_every_class_as_many_as_fit(monkeypatch):
    targets = np.repeat([0, 1, 3], [50, 30, 4])
    examples = EncodedExamples(vectors=np.zeros((84, 2)), targets=targets, weights=np.arange(84.0))
    part = synthetic._no_more_than(60, examples, seed=0)
    assert np.bincount(part.targets).tolist() == [20, 20, 0, 4]
    assert part.targets.tolist() == targets[part.weights.astype(int)].tolist()
    assert synthetic._no_more_than(150, examples, seed=0) is examples


class StopAfter(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_step(self, run):
        if run.epoch == self.epoch and run.step == 1:
            run.stop = "interrupted"


@pytest.mark.parametrize("treatment", [{"sampler": "progressive"}, {"sampler": "oversample", "synthetic": "smote"}])
def test_an_interrupted_fit_goes_on_exactly_where_it_was(treatment, tmp_path):
    texts, labels = messages()
    parameters = SMALL | {"batch_size": 16, "validation": 0} | treatment
    whole = SequenceClassifier(**parameters).fit(texts, labels)
    stopped = SequenceClassifier(**parameters).fit(texts, labels, folder=tmp_path, callbacks=[StopAfter(epoch=1)])
    assert (len(stopped.history_), stopped.history_[-1]["complete"]) == (2, False)
    resumed = SequenceClassifier(**parameters).fit(texts, labels, folder=tmp_path, resume=True)
    assert len(resumed.history_) == 3
    assert same(weights_of(whole), weights_of(resumed))


@pytest.mark.parametrize("kind", ["dense", "sparse", "texts"])
@pytest.mark.parametrize("treatment", [{"sampler": "class_balanced"}, *({"synthetic": s} for s in SYNTHETIC)])
def test_vectors_and_ngrams_of_rare_classes_are_found_more_often(kind, treatment):
    X, y = make_blobs([200, 14], centers=[[0, 0], [1.5, 1.5]], random_state=0)
    if kind == "sparse":
        X = csr_matrix(np.abs(X))
    if kind == "texts":
        X, y = messages(seed=3, sizes=(90, 12, 8))
        rare = "spam"
    else:
        rare = 1
    weights = np.random.default_rng(0).uniform(0.5, 1.5, len(y))
    recalls = [
        recall_score(y == rare, VectorClassifier(**values).fit(X, y, weights).predict(X) == rare)
        for values in ({"epochs": 5}, {"epochs": 5, **treatment})
    ]
    assert recalls[1] > recalls[0]


def test_what_cannot_be_treated_is_refused_before_training():
    texts, labels = messages(sizes=(30, 10, 1))
    with pytest.raises(DataError, match="class 'odd' has one training example, and smote needs two"):
        fitted(texts, labels, validation=0, synthetic="smote")
    with pytest.raises(DataError, match="class 'odd' has one training example"):
        VectorClassifier(synthetic="adasyn").fit(texts, labels)
    with pytest.raises(ConfigurationError, match="needs a recurrent part"):
        fitted(texts, labels, architecture="linear", synthetic="smote")
    for other in ({"loss": "logit_adjusted"}, {"loss": "class_balanced"}, {"class_weight": "balanced"}):
        with pytest.raises(ConfigurationError, match="balance the classes twice"):
            fitted(texts, labels, **other, synthetic="smote")
    with pytest.raises(ConfigurationError, match="several labels"):
        fitted(texts, [["a", "b"], ["a"], ["b"]] * 13 + [["a"]] * 2, synthetic="smote", multilabel=True)
    with pytest.raises(ConfigurationError, match="sampler"):
        VectorClassifier(sampler="often").fit(texts, labels)
    with pytest.raises(ValueError, match="synthetic"):
        ImbalanceSettings(synthetic="smot")


def test_examples_with_several_labels_are_sampled_by_the_rarest():
    texts, labels = messages()
    several = [[label, "any"] for label in labels]
    model = fitted(texts, several, validation=0, multilabel=True, sampler="oversample")
    assert [record["examples"] for record in model.history_] == [
        180
    ] * 3  # three rarest labels, 60 examples at the most


@pytest.mark.slow
def test_two_processes_share_the_epochs_of_a_sampler_and_end_with_one_model(tmp_path):
    script = tmp_path / "fit.py"
    script.write_text(
        f"""
import json, sys, torch.distributed as dist
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_resampled_fits import fitted, messages, weights_of
model = fitted(*messages(), validation=0, batch_size=16, sampler="oversample", synthetic="smote")
weights = {{name: tensor.tolist() for name, tensor in weights_of(model).items()}}
result = [[record["examples"] for record in model.history_], weights]
Path({str(tmp_path)!r}, f"rank{{dist.get_rank()}}.json").write_text(json.dumps(result))
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
    assert first[0] == [180, 180, 180]
