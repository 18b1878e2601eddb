import numpy as np
import pytest
import torch

from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError
from seqwise.models.frame_features import FrameFeatures
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.transcriber import TranscriberNetwork
from seqwise.models.transcriber_features import SpokenExamples, TranscriberFeatures, steps_needed
from seqwise.models.transcriber_settings import TranscriberSearchSettings, TranscriberSettings
from seqwise.text import Ragged, TextSettings
from tolerances import assert_close

SMALL = {"hidden_size": 5, "num_layers": 1, "backend": "reference", "dropout": 0.0, "input_dropout": 0.0}
PLAIN = {"time_masks": 0, "channel_masks": 0}
LENGTHS = torch.tensor([13, 1, 7, 4])
VARIANTS = [
    {"subsampling": "stack", "factor": 3},
    {"subsampling": "stack", "factor": 1},
    {"subsampling": "convolution", "factor": 2, "convolution_size": 7},
    {"subsampling": "none"},
    {"subsampling": "stack", "factor": 2, "encoder": "transformer", "hidden_size": 8, "heads": 2, "backend": "auto"},
]


def network(**settings):
    torch.manual_seed(0)
    module = TranscriberNetwork(TranscriberSettings(**{**SMALL, **settings}), channels=6, symbols=4, copies=2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.5)
    return module.double().eval()


def frames(seed=1):
    return torch.randn(4, 13, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: "-".join(map(str, variant.values())))
def test_padding_never_changes_an_output_not_even_as_nan(variant):
    module, x = network(**variant), frames()
    plain, steps = module(x, LENGTHS)
    poisoned = x.clone()
    for row, length in enumerate(LENGTHS.tolist()):
        poisoned[row, length:] = torch.nan
    again, _ = module(poisoned, LENGTHS)
    assert steps.tolist() == [-(-length // module.settings.reduction) for length in LENGTHS.tolist()]
    for row, (length, count) in enumerate(zip(LENGTHS.tolist(), steps.tolist(), strict=True)):
        alone, _ = module(x[row : row + 1, :length], LENGTHS[row : row + 1])
        assert alone.shape[1] == count
        assert_close(plain[row, :count], alone[0])
        assert_close(again[row, :count], plain[row, :count])


def varied(x=None, lengths=None, **settings):
    module = network(**{**PLAIN, **settings}).train()
    torch.manual_seed(3)
    return module._varied(frames() if x is None else x, LENGTHS if lengths is None else lengths, None)


def test_time_masks_silence_whole_frames_and_never_more_than_a_fifth():
    x = torch.ones(50, 40, 6, dtype=torch.float64)
    found, _ = varied(x, torch.full((50,), 40), time_masks=1, time_mask_size=30)
    silent = (found == 0).all(2)
    assert ((found == 0).any(2) == silent).all()
    assert int(silent.sum(1).max()) == 8
    assert int(silent.sum(1).min()) == 0


def test_channel_masks_are_bands_that_come_again_in_the_slopes():
    x = torch.ones(50, 4, 6, dtype=torch.float64)
    found, _ = varied(x, torch.full((50,), 4), channel_masks=1, channel_mask_size=2)
    silent = found == 0
    assert (silent == silent[:, :1]).all()
    assert (silent[..., :3] == silent[..., 3:]).all()
    assert sorted(set(silent[:, 0, :3].sum(1).tolist())) == [0, 1, 2]
    assert not silent[:, 0][:, [0, 2]].all(1).any()  # neighbours


def test_another_tempo_keeps_beginning_end_and_what_is_between():
    x = torch.arange(100.0, dtype=torch.float64)[None, :, None].expand(30, -1, 6).clone()
    found, lengths = varied(x, torch.full((30,), 100), stretch=0.2)
    assert 80 <= int(lengths.min()) < 90
    assert 110 < int(lengths.max()) <= 120
    for row, length in zip(found, lengths.tolist(), strict=True):
        expected = torch.linspace(0, 99, length, dtype=torch.float64)
        torch.testing.assert_close(row[:length, 0], expected, rtol=0, atol=1e-4)
        assert not row[length:].any()


def test_a_quicker_tempo_leaves_the_steps_that_a_target_needs():
    module = network(**PLAIN, stretch=0.5, factor=3).train()
    least = torch.tensor([5, 1, 3, 2])
    for seed in range(20):
        torch.manual_seed(seed)
        _, steps = module(frames(), LENGTHS, least)
        assert (steps >= least).all()


def test_nothing_is_varied_in_evaluation():
    module = network(noise=1.0, stretch=0.5, time_masks=5)
    assert torch.equal(module(frames(), LENGTHS)[0], module(frames(), LENGTHS)[0])


def features(unit, texts, **text):
    found = TranscriberFeatures(FrameFeatures(FrameSettings()), TextSettings(unit=unit, lowercase=False, **text))
    found.fit_text(found.prepared(texts))
    return found


@pytest.mark.parametrize("unit", ["characters", "words", "whitespace", "bpe"])
def test_what_is_encoded_is_written_again(unit):
    texts = ["ONE TWO", "TWO", "SIXTY SIX", ""]
    found = features(unit, texts, **({"max_vocabulary": 12} if unit == "bpe" else {}))
    targets = found.targets(texts)
    assert [found.write(row) for row in targets] == texts
    assert all(0 < symbol < found.size for symbol in targets.ids)
    assert len(found.symbols) == found.size
    copy = TranscriberFeatures.from_dict({**found.to_dict(), "frames": _fitted_frames()})
    assert [row.tolist() for row in copy.targets(texts)] == [row.tolist() for row in targets]


def _fitted_frames():
    return FrameFeatures(FrameSettings()).fit([np.random.default_rng(0).normal(size=(5, 2))]).to_dict()


def test_unknown_symbols_are_written_as_such_and_white_space_only_separates():
    found = features("characters", [" A  B "])
    assert found.prepared([" A  B "]) == ["A B"]
    assert found.targets(["AX"])[0].tolist()[1] == 1
    assert found.write([1]) == "<unk>"


def test_a_batch_has_its_targets_and_the_steps_that_they_need():
    examples = SpokenExamples(Frames.from_rows([np.ones((4, 2)), np.ones((3, 2))]), Ragged.from_rows([[2, 2, 3], []]))
    batch = examples.batch(np.array([1, 0]))
    assert batch.lengths.tolist() == [3, 4]
    assert batch.targets.tolist() == [[0, 0, 0], [2, 2, 3]]
    assert batch.target_lengths.tolist() == [0, 3]
    assert batch.needed.tolist() == [0, 4]
    assert steps_needed(examples.targets).tolist() == [4, 0]


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="subsampling is 'none'"):
        TranscriberSettings(subsampling="none", factor=2)
    with pytest.raises(ValueError, match="convolution_size is of a convolution"):
        TranscriberSettings(convolution_size=3)
    with pytest.raises(ValueError, match="language_model names none"):
        TranscriberSearchSettings(language_weight=0.5)
    with pytest.raises(ConfigurationError, match=r"text\.stems is not for transcribers"):
        TranscriberFeatures(FrameFeatures(), TextSettings(stems="en"))
    with pytest.raises(ConfigurationError, match=r"text\.unit of a transcriber"):
        TranscriberFeatures(FrameFeatures(), TextSettings(unit="tokens"))
    with pytest.raises(DataError, match="all empty"):
        features("characters", ["", " "])
