import itertools

import pytest
import torch

from seqwise.errors import InputError
from seqwise.losses import CTCLoss
from seqwise.ops.ctc import ctc_align, ctc_log_likelihood, ctc_posteriors
from tolerances import assert_close

TARGETS = torch.tensor([[1, 1, 2], [2, 1, 0], [2, 0, 0], [0, 0, 0]])
TARGET_LENGTHS = torch.tensor([3, 2, 1, 0])
LENGTHS = torch.tensor([5, 4, 1, 3])
BACKENDS = ["reference", "vendor"]


def scores(batch=4, steps=5, count=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, steps, count, generator=generator, dtype=torch.float64) * 2


def places_of(path, target):
    """The places of a path of symbols, blank 0, in blank, y1, blank, ..., blank; None where it does not spell the target."""
    places, place, before = [], 0, 0
    for symbol in path:
        if symbol == 0:
            place += place % 2
        elif symbol != before or place % 2 == 0:
            place += 1 + place % 2
            if place // 2 >= len(target) or target[place // 2] != symbol:
                return None
        places.append(place)
        before = symbol
    return places if place >= 2 * len(target) - 1 else None


def enumerated(logits, target):
    """Every path that spells the target and its log P."""
    logs = logits.log_softmax(-1)
    found = {}
    for path in itertools.product(range(logits.shape[1]), repeat=len(logits)):
        places = places_of(path, target)
        if places is not None:
            found[tuple(places)] = sum(logs[t, symbol] for t, symbol in enumerate(path))
    return found


def rows():
    return [(row, int(LENGTHS[row]), TARGETS[row, : TARGET_LENGTHS[row]].tolist()) for row in range(4)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_likelihoods_and_gradients_are_those_of_summing_over_all_paths(backend):
    ours, theirs = (scores().requires_grad_() for _ in range(2))
    upstream = torch.randn(4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    actual = ctc_log_likelihood(ours, TARGETS, LENGTHS, TARGET_LENGTHS, backend=backend)
    expected = torch.stack(
        [
            torch.logsumexp(torch.stack(list(enumerated(theirs[row, :length], target).values())), 0)
            for row, length, target in rows()
        ]
    )
    assert_close(actual, expected)
    actual.backward(upstream)
    expected.backward(upstream)
    assert_close(ours.grad, theirs.grad)


def test_likelihoods_and_gradients_are_torchs():
    generator = torch.Generator().manual_seed(3)
    lengths, target_lengths = torch.tensor([40, 63, 21, 50, 30]), torch.tensor([12, 20, 0, 7, 1])
    targets = torch.randint(1, 9, (5, 20), generator=generator)
    targets[1, 5:8] = 4  # repeats need blanks between them
    ours, theirs = (scores(5, 63, 9, seed=4).requires_grad_() for _ in range(2))
    upstream = torch.randn(5, dtype=torch.float64, generator=generator)
    actual = ctc_log_likelihood(ours, targets, lengths, target_lengths, backend="reference")
    logs = theirs.log_softmax(-1).transpose(0, 1)
    expected = -torch.nn.functional.ctc_loss(logs, targets, lengths, target_lengths, reduction="none")
    assert_close(actual, expected)
    actual.backward(upstream)
    expected.backward(upstream)
    assert_close(ours.grad, theirs.grad)


def test_gradients_are_numerically_right():
    logits = scores().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda given: ctc_log_likelihood(given, TARGETS, LENGTHS, TARGET_LENGTHS, backend="reference"), logits
    )


def test_any_symbol_can_be_the_blank():
    logits = scores()
    moved = logits[..., [1, 2, 0]]  # symbols 1, 2 become 0, 1; the blank becomes 2
    expected = ctc_log_likelihood(logits, TARGETS, LENGTHS, TARGET_LENGTHS)
    for backend in BACKENDS:
        found = ctc_log_likelihood(moved, (TARGETS - 1) % 3, LENGTHS, TARGET_LENGTHS, blank=2, backend=backend)
        assert_close(found, expected)


def test_posteriors_and_the_best_path_are_those_of_all_paths():
    logits = scores()
    found = ctc_posteriors(logits, TARGETS, LENGTHS, TARGET_LENGTHS)
    best = ctc_align(logits, TARGETS, LENGTHS, TARGET_LENGTHS)
    assert found.shape == (4, 5, 7)
    for row, length, target in rows():
        paths = enumerated(logits[row, :length], target)
        weights = torch.softmax(torch.stack(list(paths.values())), 0)
        expected = torch.zeros(5, 7, dtype=torch.float64)
        for path, weight in zip(paths, weights, strict=True):
            for step, place in enumerate(path):
                expected[step, place] += weight
        assert_close(found[row], expected)
        assert tuple(best[row, :length].tolist()) == max(paths, key=lambda path: paths[path])
        assert (best[row, length:] == -1).all()


def test_all_targets_of_all_lengths_together_have_a_probability_of_one():
    logits = scores(1, 4, 3, seed=5)
    total = 0.0
    for length in range(5):
        for target in itertools.product([1, 2], repeat=length):
            needed = length + sum(a == b for a, b in itertools.pairwise(target))
            if needed <= 4:
                total += float(ctc_log_likelihood(logits, torch.tensor([target], dtype=torch.int64)).exp())
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_padding_never_changes_anything_not_even_as_nan(backend):
    plain = scores()
    poisoned, strange = plain.clone(), TARGETS.clone()
    for row, length, target in rows():
        poisoned[row, length:] = torch.nan
        strange[row, len(target) :] = -7
    results = []
    for logits, targets in ((plain, TARGETS), (poisoned, strange)):
        given = logits.clone().requires_grad_()
        found = ctc_log_likelihood(given, targets, LENGTHS, TARGET_LENGTHS, backend=backend)
        found.backward(torch.arange(1.0, 5.0, dtype=torch.float64))
        results.append([found.detach(), given.grad])
        results[-1] += [of(logits, targets, LENGTHS, TARGET_LENGTHS) for of in (ctc_posteriors, ctc_align)]
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    alone = ctc_log_likelihood(plain[1:2, :4], TARGETS[1:2, :2], backend=backend)
    assert_close(results[0][0][1], alone[0])
    assert not results[0][1][1, 4:].any()


@pytest.mark.slow
def test_ten_thousand_steps_stay_exact_in_single_precision():
    generator = torch.Generator().manual_seed(6)
    logits = torch.randn(1, 10_000, 9, generator=generator, dtype=torch.float64) * 4
    targets = torch.randint(1, 9, (1, 2000), generator=generator)
    expected = ctc_posteriors(logits, targets)
    found = ctc_posteriors(logits.float(), targets)
    assert float((found - expected).abs().max()) < 5e-4
    assert float((found.sum(-1) - 1).abs().max()) < 5e-4
    single = logits.float().requires_grad_()
    value = ctc_log_likelihood(single, targets)
    assert_close(value, ctc_log_likelihood(logits, targets, backend="reference"))
    value.backward()
    assert torch.isfinite(single.grad).all()


def test_extreme_logits_give_no_nan():
    logits = torch.zeros(1, 4, 3, requires_grad=True)
    with torch.no_grad():
        logits[0, :, 1] = -1e5
    value = ctc_log_likelihood(logits, torch.tensor([[1, 1]]), backend="reference")
    value.backward()
    assert torch.isfinite(value).all()
    assert torch.isfinite(logits.grad).all()
    assert torch.isfinite(ctc_posteriors(logits.detach(), torch.tensor([[1, 1]]))).all()


def test_the_loss_is_the_negative_logarithm_in_single_precision():
    logits = scores().bfloat16()
    loss = CTCLoss()(logits, TARGETS, LENGTHS, TARGET_LENGTHS)
    assert_close(loss, -ctc_log_likelihood(logits.float(), TARGETS, LENGTHS, TARGET_LENGTHS))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"logits": torch.zeros(4, 5)}, r"logits: expected \(B, T, V\)"),
        ({"logits": torch.zeros(4, 5, 3).half()}, "logits: expected float32 or float64"),
        ({"blank": 3}, "blank: expected 0 to 2, got 3"),
        ({"targets": TARGETS[:3]}, r"targets: expected int64 \(4, U\)"),
        ({"targets": torch.full((4, 3), 3)}, "targets: expected 0 to 2 but for the blank, got 3"),
        ({"targets": torch.zeros(4, 3, dtype=torch.int64)}, "targets: expected 0 to 2 but for the blank, got 0"),
        ({"lengths": torch.tensor([5, 0, 1, 1])}, "lengths: expected 1 to 5, got 0 to 5"),
        ({"target_lengths": torch.tensor([4, 0, 1, 1])}, "target_lengths: expected 0 to 3, got 0 to 4"),
        ({"target_lengths": torch.tensor([1.0])}, "target_lengths: expected whole numbers"),
        ({"lengths": torch.tensor([3, 4, 1, 3])}, "targets: that of row 0 needs 4 steps, .* and has 3"),
        ({"backend": "fast"}, "backend: expected auto, reference or vendor"),
    ],
)
def test_wrong_arguments_are_named(changed, said):
    given = {"logits": scores(), "targets": TARGETS, "lengths": LENGTHS, "target_lengths": TARGET_LENGTHS, **changed}
    with pytest.raises(InputError, match=said):
        ctc_log_likelihood(**given)
