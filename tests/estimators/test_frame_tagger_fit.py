import itertools

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators import SequenceTagger
from seqwise.estimators.tagger_fitting import Scored
from seqwise.losses import TREATMENTS, ImbalanceSettings
from seqwise.models import FrameSettings, FrameTaggerFeatures, TaggerSettings, build_tagger
from seqwise.training import Callback
from tolerances import assert_close

SMALL = {"hidden_size": 16, "dropout": 0.1, "window": 100}
QUICK = {"epochs": 12, "learning_rate": 0.02, "batch_size": 4}


def recordings(seed=0, count=24, noise=0.2):
    """Rest, work, and now and then a knock; which of two kinds of work it is, only what came before tells."""
    random = np.random.default_rng(seed)
    frames, labels = [], []
    for _ in range(count):
        values, names, kind = [], [], "work"
        for _ in range(random.integers(4, 8)):
            length, part = random.integers(6, 20), str(random.choice(["rest", kind, "knock"], p=[0.4, 0.4, 0.2]))
            length = 4 if part == "knock" else length
            level = {"rest": (0.0, 0.0), "work": (1.0, 0.0), "later": (1.0, 0.0), "knock": (1.0, 2.0)}[part]
            kind = "later" if part == "knock" else kind
            values.append(np.tile(level, (length, 1)))
            names += [part] * length
        whole = np.concatenate(values)
        frames.append((whole + noise * random.normal(size=whole.shape)).astype(np.float32))
        labels.append(names)
    return Frames.from_rows(frames, 10.0), labels


def small(model=None, training=None, **others):
    return SequenceTagger(model={**SMALL, **(model or {})}, training={**QUICK, **(training or {})}, **others)


@pytest.fixture(scope="module")
def fitted():
    frames, labels = recordings()
    return small(validation=0.25).fit(frames, labels)


def test_it_learns_what_only_the_steps_before_tell(fitted):
    frames, labels = recordings(seed=1)
    assert fitted.classes_ == ["knock", "later", "rest", "work"]
    assert fitted.settings_.training.metric == "macro_f1"
    assert fitted.settings_.model.head == "softmax"
    flat, said = ([name for row in rows for name in row] for rows in (labels, fitted.predict(frames)))
    assert fitted.score(frames, labels) == pytest.approx(f1_score(flat, said, average="macro"))
    assert fitted.score(frames, labels) > 0.8


def test_marginals_are_probabilities_and_segments_hold_all_steps(fitted):
    frames, _ = recordings(seed=2, count=3)
    for row, marginals, tagged in zip(frames, fitted.predict_marginals(frames), fitted.tag(frames), strict=True):
        assert marginals.shape == (len(row), 4)
        np.testing.assert_allclose(marginals.sum(1), 1, rtol=1e-5)
        assert [fitted.classes_[i] for i in marginals.argmax(1)] == tagged.tags
        np.testing.assert_allclose(marginals.max(1), tagged.probabilities, rtol=1e-5)
        assert [segment.first for segment in tagged.segments[1:]] == [segment.end for segment in tagged.segments[:-1]]
        assert tagged.segments[-1].end == len(row)
        assert tagged.entities[-1]["end"] == len(row) / 10
        assert tagged.unit == "seconds"
        first = tagged.segments[0]
        assert first.score == pytest.approx(np.mean(tagged.probabilities[: first.end]))
        assert all(one.label != other.label for one, other in itertools.pairwise(tagged.segments))


def test_arrays_are_taken_for_the_rate_of_training_and_without_one_counted_in_steps(fitted):
    frames, labels = recordings(seed=3, count=4)
    listed = fitted.tag(list(frames))
    assert listed[0].unit == "seconds"
    assert [of.tags for of in listed] == fitted.predict(frames)
    (tagged, *_) = small(training={"epochs": 1}, validation=0.0).fit(list(frames), labels).tag(list(frames))
    assert tagged.unit == "steps"
    assert tagged.entities[0]["start"] == 0
    assert isinstance(tagged.entities[0]["end"], int)


def test_a_saved_tagger_answers_as_before(tmp_path, fitted):
    fitted.save(tmp_path / "m")
    loaded = SequenceTagger.load(tmp_path / "m")
    frames, labels = recordings(seed=4, count=3)
    assert loaded.predict(frames) == fitted.predict(frames)
    assert loaded.score(frames, labels) == fitted.score(frames, labels)
    for one, other in zip(loaded.predict_marginals(frames), fitted.predict_marginals(frames), strict=True):
        np.testing.assert_array_equal(one, other)


def test_steps_without_a_label_are_neither_learned_nor_judged():
    frames, labels = recordings(count=6)
    numbers = [[{"rest": 0, "work": 1, "later": 1, "knock": -1}[name] for name in row] for row in labels]
    model = small(training={"epochs": 2}, validation=0.0).fit(frames, [np.array(row) for row in numbers])
    assert model.classes_ == ["0", "1"]
    assert model.counts_.tolist() == [sum(row.count(name) for row in numbers) for name in (0, 1)]
    said = model.predict(frames)
    rights = [right for row in numbers for right in row]
    known = [(str(right), name) for right, name in zip(rights, itertools.chain(*said), strict=True) if right >= 0]
    assert model.score(frames, numbers) == pytest.approx(f1_score(*zip(*known, strict=True), average="macro"))


def test_a_lower_rate_answers_for_every_step():
    frames, labels = recordings()
    model = small({"window": 50}, frames={"stack": 2, "stride": 2}, validation=0.0).fit(frames, labels)
    assert [len(row) for row in model.predict(frames)] == frames.lengths.tolist()
    assert model.score(frames, labels) > 0.7


TREATED = [name for name in TREATMENTS if "smote" not in name and name != "adasyn"]


@pytest.mark.parametrize("name", TREATED)
def test_every_treatment_of_rare_labels_but_synthetic_ones_is_there(name):
    frames, labels = recordings(count=4)
    model = small(imbalance=TREATMENTS[name].values, training={"epochs": 2}, validation=0.0).fit(frames, labels)
    assert all(np.isfinite(record["loss"]) for record in model.history_)


@pytest.mark.parametrize("name", ["weighted", "prior_correction", "class_balanced"])
def test_a_treatment_says_rare_labels_more_often(name):
    frames, labels = recordings(noise=1.5)
    said = []
    for values in ({}, TREATMENTS[name].values):
        model = small({"window": 15}, {"epochs": 4}, imbalance=values, validation=0.0).fit(frames, labels)
        said.append(sum(row.count("knock") for row in model.predict(frames)))
    assert said[1] > said[0]


def test_prior_correction_subtracts_the_log_shares_of_training(fitted):
    frames, labels = recordings()
    plain, corrected = (
        small(imbalance={"prior_correction": tau}, training={"epochs": 1}, validation=0.0).fit(frames, labels)
        for tau in (0.0, 0.7)
    )
    before, after = (model.predict_marginals(frames[:1])[0] for model in (plain, corrected))
    shares = corrected.counts_ / corrected.counts_.sum()
    expected = before / shares**0.7
    np.testing.assert_allclose(after, expected / expected.sum(1, keepdims=True), rtol=1e-4)


def test_people_held_back_are_held_back_whole():
    frames, labels = recordings(count=8)
    people = ["a", "a", "b", "b", "c", "c", "d", "d"]
    model = small(training={"epochs": 1}, validation=0.25).fit(frames, labels, groups=people)
    assert len(model.held_) == 2
    assert len({people[i] for i in model.held_}) == 1


def partial_likelihood(crf, emissions, targets):
    """-log P(known tags) by trying all sequences of tags."""
    count = emissions.shape[-1]
    scores = {}
    for path in itertools.product(range(count), repeat=len(emissions)):
        score = crf.first[path[0]] + crf.last[path[-1]] + sum(emissions[t, tag] for t, tag in enumerate(path))
        scores[path] = score + sum(crf.following[a, b] for a, b in itertools.pairwise(path))
    every = torch.logsumexp(torch.stack(list(scores.values())), 0)
    fits = [s for path, s in scores.items() if all(t in (-1, tag) for t, tag in zip(targets, path, strict=True))]
    return every - torch.logsumexp(torch.stack(fits), 0)


def test_a_random_field_of_partly_labelled_steps_is_that_of_all_ways_to_label_the_others():
    random = np.random.default_rng(0)
    frames = Frames.from_rows([random.normal(size=(length, 2)) for length in (5, 4)])
    targets = [np.array([0, -1, 2, -1, -1]), np.array([-1, 1, 1, 0])]
    features = FrameTaggerFeatures(FrameSettings())
    features.fit(frames)
    settings = TaggerSettings(hidden_size=4, dropout=0.0, head="crf", scheme="none", backend="reference")
    torch.manual_seed(0)
    network = build_tagger(settings, features, ["a", "b", "c"]).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.8)
    batch = features.encode(frames, targets).batch(np.arange(2))
    batch = batch._replace(frames=batch.frames.double())
    scored = Scored(network, ImbalanceSettings(), np.ones(3), None, 2.0, partial=True)
    losses = scored(batch)
    emissions = network(batch)
    expected = [
        partial_likelihood(network.crf, emissions[i, : len(row)], row.tolist()) / 2 for i, row in enumerate(targets)
    ]
    assert_close(losses, torch.stack(expected))
    upstream = torch.tensor([0.7, -1.3], dtype=torch.float64)
    ours = torch.autograd.grad(losses, list(network.parameters()), upstream)
    theirs = torch.autograd.grad(torch.stack(expected), list(network.parameters()), upstream)
    for one, other in zip(ours, theirs, strict=True):
        assert_close(one, other)


def test_a_random_field_of_frames_learns():
    frames, labels = recordings()
    model = small({"head": "crf"}, validation=0.0, training={"epochs": 6}).fit(frames, labels)
    assert model.score(frames, labels) > 0.7


class Stop(Callback):
    """Ctrl-C in the second epoch."""

    def on_step(self, run):
        if run.epoch == 1 and run.step == 2:
            run.stop = "interrupted"


def test_an_interrupted_fit_goes_on_as_if_there_had_been_no_interruption(tmp_path):
    frames, labels = recordings(count=6)
    settings = {
        "model": {"window": 15, "margin": 3},
        "training": {"epochs": 3},
        "imbalance": {"sampler": "progressive"},
    }
    whole = small(**settings, validation=0.0).fit(frames, labels)
    parts = small(**settings, validation=0.0).fit(frames, labels, folder=tmp_path, callbacks=[Stop()])
    assert parts.fit_history_.interrupted
    parts.fit(frames, labels, folder=tmp_path, resume=True)
    for name, value in whole.predictor_.network.state_dict().items():
        assert torch.equal(parts.predictor_.network.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("arguments", "labels", "said"),
    [
        ({}, [["a", "b"]], "sequence 1 has 3 steps and 2 labels"),
        ({}, [["a", "b", "a"]] * 2, "there are 1 sequences and 2 lists of labels"),
        ({}, [["a", "b", 1.5]], "sequence 1: 1.5 is no label"),
        ({}, [[None, -1, ""]], "no step has a label"),
        ({}, [["a", "a", None]], "every token has the tag 'a'"),
        ({"text": {"min_count": 2}}, [["a", "b", "a"]], "the section text is for words"),
        ({"model": {"scheme": "BIO"}}, [["a", "b", "a"]], r"model.scheme BIO is of spans of words"),
        ({"model": {"vectors": "x.txt"}}, [["a", "b", "a"]], r"model.vectors is for words"),
        ({"model": {"head": "crf"}, "imbalance": {"loss": "focal"}}, [["a", "b", "a"]], "'softmax' for another loss"),
        (
            {"model": {"head": "crf"}, "imbalance": {"class_weight": "balanced"}},
            [["a", "b", "a"]],
            "whose every step has a label",
        ),
        ({"model": {"window": None}, "imbalance": {"sampler": "oversample"}}, [["a", "b", "a"]], "set model.window"),
        ({"imbalance": {"synthetic": "smote"}}, [["a", "b", "a"]], r"imbalance.synthetic"),
    ],
)
def test_wrong_input_is_one_sentence(arguments, labels, said):
    with pytest.raises((DataError, ConfigurationError), match=said):
        SequenceTagger(**arguments, validation=0.0).fit([np.arange(6.0).reshape(3, 2)], labels)


def test_frames_and_texts_are_not_taken_for_each_other(fitted):
    with pytest.raises(DataError, match="the model reads frames of numbers, and got a text"):
        fitted.tag(["a text"])
    with pytest.raises(DataError, match="channels"):
        fitted.tag([np.zeros((4, 3))])
