import numpy as np
import pytest
import torch

from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators import Transcriber
from seqwise.models.transcriber_settings import TranscriberSearchSettings
from tolerances import assert_close

MODEL = {"hidden_size": 8, "num_layers": 1, "bidirectional": False, "time_masks": 0, "channel_masks": 0}
VARIANTS = [{"factor": 3}, {"subsampling": "none"}, {"factor": 2, "encoder": "transformer", "heads": 2}]


def fitted(frames=None, **model):
    random = np.random.default_rng(0)
    X = [random.normal(size=(random.integers(8, 20), 3)).astype(np.float32) for _ in range(20)]
    y = ["".join(random.choice(list("ab "), 3)).strip() for _ in range(20)]
    return Transcriber(
        frames={"normalise": "channel", **(frames or {})},
        model={**MODEL, **model},
        search={"beam": 1},
        training={"epochs": 1, "device": "cpu"},
        validation=0.0,
    ).fit(X, [text or "a" for text in y])


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(map(str, variant.values())))
def test_frame_by_frame_a_causal_transcriber_hears_what_the_whole_so_far_gives(variant):
    predictor = fitted(**variant).predictor_
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in predictor.network.double().parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.5)
    x, reduction = torch.randn(1, 14, 3, generator=generator, dtype=torch.float64), predictor.network.settings.reduction
    state = predictor.network.start(1)
    for begin in range(0, 14, reduction):
        found, state = predictor.network.step(x[:, begin : begin + reduction], state)
        stop = min(begin + reduction, 14)
        whole, _ = predictor.network(x[:, :stop], torch.tensor([stop]))
        assert_close(found, whole[:, -1].detach())
    predictor.network.float()
    utterance = (np.random.default_rng(2).normal(size=(23, 3)) * 4).astype(np.float32)
    greedy, texts, stream = TranscriberSearchSettings(beam=1), set(), predictor.start()
    assert stream.answer == ""
    for count, frame in enumerate(utterance, 1):
        stream, text = predictor.step(stream, frame)
        (symbols,) = predictor.find(predictor.log_probabilities([utterance[:count]]), greedy)
        assert text == stream.answer == predictor.features.write(symbols)
        assert stream.steps == count
        texts.add(text)
    assert len(texts) > 2


def test_what_needs_the_whole_utterance_says_so():
    with pytest.raises(ConfigurationError, match="both directions"):
        fitted(bidirectional=True).predictor_.start()
    with pytest.raises(ConfigurationError, match="convolution needs the frames that follow"):
        fitted(subsampling="convolution").predictor_.start()
    with pytest.raises(ConfigurationError, match=r"frames\.normalise needs more than one step"):
        fitted(frames={"normalise": "sequence"}).predictor_.start()
    predictor = fitted().predictor_
    with pytest.raises(DataError, match="a step is 3 numbers"):
        predictor.step(predictor.start(), [1.0, 2.0])
