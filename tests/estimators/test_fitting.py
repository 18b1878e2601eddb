"""The loss that a fit minimises: named by its settings, deferred weights included, also where it goes on after a stop."""

import numpy as np
import pytest
import torch

from seqwise import losses
from seqwise.errors import DataError
from seqwise.estimators import fitting
from seqwise.estimators.fitting import Fitting, class_weights
from seqwise.losses import LOSSES, ImbalanceSettings
from seqwise.models import EncodedExamples, VectorModel
from seqwise.training import Callback, TrainingSettings
from tolerances import assert_close

SETTINGS = TrainingSettings(
    epochs=4, batch_size=16, learning_rate=0.05, optimizer="adam", schedule="constant", select="last", device="cpu"
)


def examples(multilabel=False):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(120, 5))
    if multilabel:
        targets = vectors[:, :3] > np.array([0.0, 1.0, 1.7])
    else:
        targets = np.repeat([0, 1, 2], [90, 24, 6])
        vectors[np.arange(120), targets] += 2
    return EncodedExamples(vectors=vectors, targets=targets, weights=random.uniform(0.5, 1.5, 120))


def fit(imbalance, data, callbacks=(), **arguments):
    torch.manual_seed(0)
    model = VectorModel(5, (), 3, sparse=False).double()
    history = Fitting(SETTINGS, imbalance, ["a", "b", "c"], callbacks=callbacks, **arguments)(model, data, None)
    return model, history


class StopAt(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_step(self, run):
        if (run.epoch, run.step) == (self.epoch, 3):
            run.stop = "interrupted"


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("multilabel", [False, True])
def test_the_first_step_is_down_the_gradient_of_the_loss_that_the_settings_name(loss, multilabel):
    """The first logged loss of full-batch descent is that of the untrained model over all weighted examples."""
    data = examples(multilabel)
    counts = fitting.count_classes(data.targets, 3, data.weights)
    made = losses.make_loss(
        ImbalanceSettings(loss=loss), counts, multilabel=multilabel, examples=float(data.weights.sum())
    )
    torch.manual_seed(0)
    model = VectorModel(5, (), 3, sparse=False).double().eval()
    batch = data.batch(np.arange(120))
    with torch.no_grad():
        values = made(model(batch), batch.targets, progress=0.0) * batch.weights
    one_batch = SETTINGS.model_copy(update={"batch_size": 120, "epochs": 1})
    history = Fitting(one_batch, ImbalanceSettings(loss=loss), ["a", "b", "c"])(model, data, None)
    assert history.epochs[0]["loss"] == pytest.approx(float(values.mean()), rel=1e-6)


def test_deferred_weights_come_in_at_their_epoch():
    late = ImbalanceSettings(loss="ldam", deferred=0.5, class_weight={"c": 50.0})
    never = ImbalanceSettings(loss="ldam", deferred=1.0, class_weight={"c": 50.0})
    first, second = (fit(imbalance, examples())[1].epochs for imbalance in (late, never))
    assert [a["loss"] == b["loss"] for a, b in zip(first, second, strict=True)] == [True, True, False, False]
    assert first[2]["loss"] > second[2]["loss"]


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_fit_with_deferred_weights_goes_on_exactly_where_it_was(epoch, tmp_path):
    imbalance = ImbalanceSettings(loss="ldam", deferred=0.5)
    whole, _ = fit(imbalance, examples())
    fit(imbalance, examples(), callbacks=[StopAt(epoch)], folder=tmp_path)
    resumed, history = fit(imbalance, examples(), folder=tmp_path, resume=True)
    assert not history.interrupted
    for name, weight in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], weight), name


def test_class_weights_of_labels_are_pairs():
    counts, names = np.array([30.0, 60.0, 0.0]), ["a", "b", "c"]
    balanced = class_weights(ImbalanceSettings(class_weight="balanced"), names, counts, 60.0)
    assert_close(balanced, torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]]))
    given = class_weights(ImbalanceSettings(class_weight={"b": 4.0}), names, counts, 60.0)
    assert given.tolist() == [[1, 1, 1], [1, 4, 1]]
    assert class_weights(ImbalanceSettings(), names, counts, 60.0) is None
    with pytest.raises(DataError, match="names 'd', which is no class"):
        class_weights(ImbalanceSettings(class_weight={"d": 4.0}), names, counts, 60.0)


def test_weights_of_labels_raise_their_recall():
    data = examples(multilabel=True)
    said = []
    for class_weight in (None, "balanced"):
        model, _ = fit(ImbalanceSettings(class_weight=class_weight), data)
        with torch.no_grad():
            answers = model(data.batch(np.arange(120))).numpy() > 0
        said.append((answers & data.targets)[:, 2].sum() / data.targets[:, 2].sum())
    assert said[1] > said[0]
