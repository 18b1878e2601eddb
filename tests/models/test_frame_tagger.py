import numpy as np
import pytest
import torch

from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.models import FrameSettings, FrameTaggerFeatures, TaggerSettings, build_tagger
from seqwise.models.tagger_frames import UNKNOWN, majority
from tolerances import assert_close

RANDOM = np.random.default_rng(0)
FRAMES = Frames.from_rows([RANDOM.normal(size=(length, 3)) for length in (11, 1, 6)], 50.0)
TAGS = ["a", "b", "c", "d"]
SMALL = {"hidden_size": 6, "backend": "reference", "scheme": "none", "head": "softmax"}


def fitted(frames=FRAMES, **settings):
    features = FrameTaggerFeatures(FrameSettings(**settings))
    features.fit(frames)
    return features


def network(features, **settings):
    torch.manual_seed(0)
    module = build_tagger(TaggerSettings(**{**SMALL, **settings}), features, TAGS).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.7)
    return module


def in_double(batch):
    return batch._replace(frames=batch.frames.double())


@pytest.mark.parametrize(
    "settings",
    [{}, {"head": "crf"}, {"cell": "gru", "num_layers": 2}, {"encoder": "transformer", "heads": 2, "backend": "auto"}],
    ids=str,
)
def test_what_else_is_in_the_batch_never_changes_an_answer(settings):
    features = fitted(stack=2)
    module = network(features, **settings)
    together = module.answers(in_double(features.encode(FRAMES).batch(np.arange(3))))
    for i in range(3):
        alone = module.answers(in_double(features.encode(FRAMES[i : i + 1]).batch(np.array([0]))))
        for part, other in zip(alone, together, strict=True):
            # The probabilities are single numbers, whatever the network computes in.
            assert_close(part[0].float(), other[i, : len(FRAMES[i])].float())


def test_a_step_that_stands_for_several_has_the_label_of_most_and_answers_for_all():
    features = fitted(stride=3)
    labels = [np.array([0, 0, 1, 1, 2, 2, -1, -1, 3, -1, -1]), np.array([2]), np.array([1, -1, -1, -1, -1, -1])]
    examples = features.encode(FRAMES, labels)
    assert examples.lengths.tolist() == [4, 1, 2]
    assert examples.targets.tolist() == [0, 2, 3, UNKNOWN, 2, 1, UNKNOWN]
    said = [features.spread(FRAMES, number, np.arange(4)[:length]) for number, length in enumerate((4, 1, 2))]
    assert [row.tolist() for row in said] == [[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3], [0], [0, 0, 0, 1, 1, 1]]


def test_the_majority_is_that_of_the_known_labels():
    places, targets = np.array([0, 0, 0, 1, 1, 3]), np.array([-1, 2, -1, -1, -1, 0])
    assert majority(places, targets, 4, 3).tolist() == [2, -1, -1, 0]
    assert majority(places, np.full(6, -1), 4, 0).tolist() == [-1] * 4


def test_frames_of_another_rate_are_answered_step_by_step():
    features = fitted(stride=2)
    slow = Frames.from_rows([np.ones((5, 3))], 25.0)
    assert features.encode(slow).lengths.tolist() == [5]
    assert features.spread(slow, 0, np.arange(5)).tolist() == [0, 1, 2, 3, 4]


def test_windows_read_their_margin_and_learn_only_from_what_is_between():
    examples = fitted().encode(FRAMES, [np.arange(len(row)) % 4 for row in FRAMES])
    cut = examples.cut(np.array([[0, 4, 8], [2, 0, 3]]), margin=2)
    assert cut.lengths.tolist() == [8, 5]
    batch = cut.batch(np.array([0, 1]))
    np.testing.assert_array_equal(batch.frames[0], examples.values[2:10])
    np.testing.assert_array_equal(batch.frames[1, :5], examples.values[12:17])
    assert batch.targets.tolist() == [[-1, -1, 0, 1, 2, 3, -1, -1], [0, 1, 2, -1, -1, -1, -1, -1]]
    assert batch.lengths.tolist() == [8, 5]


def test_features_survive_saving():
    features = fitted(stack=2, stride=2)
    again = FrameTaggerFeatures.from_dict(features.to_dict())
    np.testing.assert_array_equal(again.encode(FRAMES).values, features.encode(FRAMES).values)
    with pytest.raises(DataError, match='the key "frames"'):
        FrameTaggerFeatures.from_dict({"words": {}})


def test_settings_of_the_other_kind_of_step_are_refused():
    with pytest.raises(ConfigurationError, match="max_length is not for taggers"):
        FrameTaggerFeatures(FrameSettings(max_length=5))
    with pytest.raises(ConfigurationError, match=r"model.casing is for words, and this tagger reads frames"):
        TaggerSettings(casing=False).decided(framed=True)
    with pytest.raises(ConfigurationError, match=r"model.window is for frames, and this tagger reads words"):
        TaggerSettings(window=8).decided(framed=False)
    assert TaggerSettings().decided(framed=True).head == "softmax"
    assert TaggerSettings().decided(framed=False).head == "crf"
