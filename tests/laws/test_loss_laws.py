"""What holds for every loss of classes and of labels: derivatives, weights, neutral values, symmetries, extremes."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F

from seqwise import losses
from seqwise.errors import DataError
from tolerances import assert_close

B, C = 9, 4
COUNTS = torch.tensor([40.0, 3.0, 11.0, 7.0], dtype=torch.float64)
PAIRS = torch.tensor([[37.0, 50.0, 58.0, 30.0], [24.0, 11.0, 3.0, 31.0]], dtype=torch.float64)

# name -> options of classes, options of labels; every loss more than once where its options change what is computed
CASES = {
    "weighted_cross_entropy": ({"counts": COUNTS}, {"counts": PAIRS}),
    "weighted_cross_entropy smoothed": (
        {"counts": COUNTS, "label_smoothing": 0.1},
        {"counts": PAIRS, "label_smoothing": 0.1},
    ),
    "focal": ({"gamma": 2.0, "alpha": COUNTS / 9}, {"gamma": 2.0, "alpha": 0.25}),
    "focal fractional": ({"gamma": 0.5, "counts": COUNTS}, {"gamma": 0.5, "counts": PAIRS}),
    "focal smoothed": ({"gamma": 3.0, "label_smoothing": 0.2}, {"gamma": 3.0, "label_smoothing": 0.2}),
    "asymmetric": ({"gamma_pos": 1.0, "label_smoothing": 0.1}, {"gamma_pos": 1.0}),
    "asymmetric fractional": (
        {"gamma_pos": 0.5, "gamma_neg": 0.5, "label_smoothing": 0.1, "counts": COUNTS},
        {"gamma_pos": 0.5, "gamma_neg": 1.5, "margin": 0.0, "counts": PAIRS},
    ),
    "class_balanced": ({"counts": COUNTS, "beta": 0.9}, {"counts": PAIRS, "beta": 0.9}),
    "class_balanced focal": ({"counts": COUNTS, "beta": 0.9, "gamma": 1.0}, {"counts": PAIRS, "gamma": 1.0}),
    "class_balanced sigmoid": (
        {"counts": COUNTS, "beta": 0.9, "base": "sigmoid", "gamma": 2.0, "label_smoothing": 0.1},
        {"counts": PAIRS, "beta": 0.9, "label_smoothing": 0.1},
    ),
    "logit_adjusted": ({"counts": COUNTS, "tau": 1.5}, {"counts": PAIRS, "tau": 1.5}),
    "ldam": ({"counts": COUNTS, "scale": 3.0, "weights": COUNTS}, {"counts": PAIRS, "scale": 3.0, "weights": PAIRS}),
    "balanced_softmax": ({"counts": COUNTS}, {"counts": PAIRS}),
}
NEUTRAL = {
    "weighted_cross_entropy": [{}, {"weights": [1, 1, 1, 1]}, {"counts": [5, 5, 5, 5]}],
    "focal": [{"gamma": 0}, {"gamma": 0, "alpha": 1}, {"gamma": 0, "counts": [5, 5, 5, 5]}],
    "asymmetric": [{"gamma_neg": 0}, {"gamma_pos": 0.0, "gamma_neg": 4.0}],
    "class_balanced": [{"beta": 0, "counts": COUNTS}, {"counts": [5, 5, 5, 5]}],
    "logit_adjusted": [{"tau": 0, "counts": COUNTS}, {"counts": [5, 5, 5, 5]}],
    "ldam": [{"margin": 0, "counts": COUNTS}],
    "balanced_softmax": [{"counts": [5, 5, 5, 5]}],
}
NEUTRAL_LABELS = {
    "weighted_cross_entropy": [{}, {"weights": [1, 1]}, {"counts": [5, 5]}],
    "focal": [{"gamma": 0}, {"gamma": 0, "alpha": [1, 1]}],
    "asymmetric": [{"gamma_neg": 0, "margin": 0}],
    "class_balanced": [{"beta": 0, "counts": PAIRS}, {"counts": [5, 5]}],
    "logit_adjusted": [{"tau": 0, "counts": PAIRS}, {"counts": [5, 5]}],
    "ldam": [{"margin": 0, "counts": PAIRS}],
    "balanced_softmax": [{"counts": [5, 5]}],
}
every_loss = pytest.mark.parametrize("name", CASES)
both_forms = pytest.mark.parametrize("labels", [False, True], ids=["classes", "labels"])


def functions(name):
    """The loss, its gradient and its second derivatives."""
    stem = name.split()[0]
    return tuple(getattr(losses, stem + end) for end in ("", "_gradient", "_hessian"))


def options_of(name, labels):
    return CASES[name][labels]


def draw(labels, *shape, dtype=torch.float64, seed=0):
    """Logits (*shape, C), targets, and a factor for each value."""
    generator = torch.Generator().manual_seed(seed)
    shape = shape or (B,)
    logits = (2 * torch.randn(*shape, C, generator=generator, dtype=torch.float64)).to(dtype)
    targets = torch.randint(2, (*shape, C), generator=generator).to(dtype)
    if not labels:
        targets = torch.randint(C, shape, generator=generator)
    return logits, targets, 0.5 + torch.rand(targets.shape, generator=generator, dtype=torch.float64)


@every_loss
@both_forms
def test_the_gradient_is_that_of_autograd_for_random_upstream_gradients(name, labels):
    loss, gradient, _ = functions(name)
    logits, targets, upstream = draw(labels)
    options = options_of(name, labels)
    leaf = logits.clone().requires_grad_()
    values = loss(leaf, targets, **options)
    assert values.shape == targets.shape
    (expected,) = torch.autograd.grad(values, leaf, upstream)
    assert_close(gradient(logits, targets, sample_weight=upstream, **options), expected)
    assert torch.autograd.gradcheck(lambda z: loss(z, targets, **options), leaf)


@every_loss
@both_forms
def test_the_second_derivatives_are_those_of_autograd(name, labels):
    loss, _, hessian = functions(name)
    logits, targets, weights = draw(labels)
    options = options_of(name, labels)
    ours = hessian(logits, targets, sample_weight=weights, **options)
    for i in range(B):
        value = partial(lambda i, z: loss(z, targets[i], sample_weight=weights[i], **options).sum(), i)
        expected = torch.autograd.functional.hessian(value, logits[i])
        assert_close(torch.diag(ours[i]) if labels else ours[i], expected, f"example {i}")


@every_loss
@both_forms
def test_weights_multiply(name, labels):
    loss, gradient, _ = functions(name)
    logits, targets, weights = draw(labels)
    options = options_of(name, labels)
    plain = loss(logits, targets, **options)
    assert (plain >= 0).all()
    assert_close(loss(logits, targets, sample_weight=weights, **options), plain * weights)
    slope = gradient(logits, targets, **options)
    weighed = slope * (weights if labels else weights.unsqueeze(-1))
    assert_close(gradient(logits, targets, sample_weight=weights, **options), weighed)


@every_loss
@both_forms
def test_ignored_targets_cost_nothing_and_change_nothing_else(name, labels):
    loss, gradient, hessian = functions(name)
    logits, targets, _ = draw(labels)
    options = options_of(name, labels)
    some = torch.rand(targets.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    marked = targets.where(~some, -100)
    for function in (loss, gradient, hessian):
        found, whole = function(logits, marked, **options), function(logits, targets, **options)
        assert (found[some] == 0).all()
        assert torch.equal(found[~some], whole[~some])
    assert torch.equal(
        loss(logits, targets.where(~some, 77), ignore_index=77, **options), loss(logits, marked, **options)
    )
    leaf = logits.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(leaf, marked, **options).sum(), leaf)
    assert (slope[some] == 0).all()


@pytest.mark.parametrize(("name", "options"), [(name, options) for name in NEUTRAL for options in NEUTRAL[name]])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_neutral_options_are_cross_entropy_exactly(name, options, dtype):
    logits, targets, _ = draw(False, dtype=dtype)
    theirs = F.cross_entropy(logits, targets, reduction="none")
    torch.testing.assert_close(functions(name)[0](logits, targets, **options), theirs, rtol=2e-16, atol=0)
    smoothed = F.cross_entropy(logits, targets, reduction="none", label_smoothing=0.1)
    if options.get("gamma_neg", 0) == 0:
        assert_close(functions(name)[0](logits, targets, label_smoothing=0.1, **options), smoothed)


@pytest.mark.parametrize(
    ("name", "options"), [(name, options) for name in NEUTRAL_LABELS for options in NEUTRAL_LABELS[name]]
)
def test_neutral_options_of_labels_are_binary_cross_entropy(name, options):
    logits, targets, _ = draw(True)
    theirs = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    torch.testing.assert_close(functions(name)[0](logits, targets, **options), theirs, rtol=1e-15, atol=5e-16)
    soft = 0.9 * targets + 0.05
    theirs = F.binary_cross_entropy_with_logits(logits, soft, reduction="none")
    assert_close(functions(name)[0](logits, targets, label_smoothing=0.1, **options), theirs)


@every_loss
@both_forms
def test_the_order_of_the_classes_does_not_matter(name, labels):
    order = torch.tensor([2, 0, 3, 1])
    logits, targets, _ = draw(labels)
    options = options_of(name, labels)
    moved = {
        key: value[..., order] if isinstance(value, torch.Tensor) and value.shape[-1:] == (C,) else value
        for key, value in options.items()
    }
    loss, gradient, _ = functions(name)
    expected, slope = loss(logits, targets, **options), gradient(logits, targets, **options)
    renamed = targets[:, order] if labels else order.argsort()[targets]
    found = loss(logits[:, order], renamed, **moved)
    assert_close(found, expected[:, order] if labels else expected)
    assert_close(gradient(logits[:, order], renamed, **moved), slope[:, order])


@every_loss
def test_a_softmax_does_not_see_what_is_added_to_all_logits(name):
    loss, gradient, _ = functions(name)
    logits, targets, _ = draw(False)
    options = options_of(name, False)
    if options.get("base") == "sigmoid":
        assert not torch.allclose(loss(logits + 3, targets, **options), loss(logits, targets, **options))
        return
    assert_close(loss(logits + 3, targets, **options), loss(logits, targets, **options))
    assert gradient(logits, targets, **options).sum(-1).abs().max() < 1e-12


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("asymmetric") and "sig" not in name])
def test_two_classes_are_one_label(name):
    loss = functions(name)[0]
    options = dict(options_of(name, True))
    pair = {key: [3.0, 0.5] for key in ("counts", "alpha", "weights") if key in options}
    logits, targets, _ = draw(True)
    smoothing = options.get("label_smoothing", 0.0)
    of_classes = torch.stack([torch.zeros_like(logits), logits], -1)
    assert_close(
        loss(of_classes, targets.long(), **(options | pair)),
        loss(logits, targets, **(options | pair)),
        f"{name} smoothed by {smoothing}",
    )


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("asymmetric")])
def test_yes_and_no_can_be_exchanged(name):
    loss = functions(name)[0]
    logits, targets, _ = draw(True)
    options = options_of(name, True)
    other = {key: value.flip(0) if isinstance(value, torch.Tensor) else value for key, value in options.items()}
    other |= {"alpha": 1 - options["alpha"]} if "alpha" in options else {}
    assert_close(loss(-logits, 1 - targets, **other), loss(logits, targets, **options))


@every_loss
def test_the_labels_of_one_example_add_up(name):
    loss, gradient, hessian = functions(name)
    logits, targets, _ = draw(True)
    weights = draw(False)[2]
    options = options_of(name, True)
    single = loss(logits, targets, **options)
    assert_close(loss(logits, targets, multilabel=True, **options), single.sum(-1))
    assert_close(
        loss(logits, targets, multilabel=True, sample_weight=weights, **options), (single * weights[:, None]).sum(-1)
    )
    for function in (gradient, hessian):
        expected = function(logits, targets, **options) * weights[:, None]
        assert_close(function(logits, targets, multilabel=True, sample_weight=weights, **options), expected)


@every_loss
@both_forms
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_extreme_logits_neither_overflow_nor_become_nan(name, labels, dtype):
    loss, gradient, hessian = functions(name)
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randint(-1, 2, (60, C), generator=generator) * 1e4).to(dtype)
    targets = torch.randint(2, (60, C), generator=generator) if labels else torch.randint(C, (60,), generator=generator)
    options = options_of(name, labels)
    leaf = logits.clone().requires_grad_()
    values = loss(leaf, targets, **options)
    assert values.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert values.isfinite().all()
    (slope,) = torch.autograd.grad(values.sum(), leaf)
    assert slope.isfinite().all()
    assert_close(slope, gradient(logits, targets, **options).to(dtype))
    assert hessian(logits, targets, **options).isfinite().all()


@every_loss
@both_forms
def test_half_precision_is_computed_in_float32(name, labels):
    logits, targets, _ = draw(labels, dtype=torch.bfloat16)
    options = options_of(name, labels)
    for function in functions(name):
        found = function(logits, targets, **options)
        assert found.dtype == torch.float32
        assert torch.equal(found, function(logits.float(), targets, **options))


@every_loss
@both_forms
def test_every_loss_runs_under_vmap(name, labels):
    loss = functions(name)[0]
    logits, targets, _ = draw(labels)
    options = options_of(name, labels)
    moved = logits + torch.randn(5, B, C, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = torch.func.vmap(lambda z: loss(z, targets, **options))(moved)
    assert_close(found, torch.stack([loss(z, targets, **options) for z in moved]))


@every_loss
@both_forms
def test_more_axes_and_empty_batches_are_allowed(name, labels):
    logits, targets, weights = draw(labels, 2, 5)
    options = options_of(name, labels)
    for function in functions(name):
        found = function(logits, targets, sample_weight=weights, **options)
        flat = function(logits.flatten(0, 1), targets.flatten(0, 1), sample_weight=weights.flatten(0, 1), **options)
        assert_close(found.flatten(0, 1), flat)
        assert len(function(logits[:0], targets[:0], **options)) == 0


@every_loss
def test_less_is_paid_for_a_more_probable_target(name):
    loss = partial(functions(name)[0], **options_of(name, False) | {"label_smoothing": 0.0})
    logits = torch.zeros(50, C, dtype=torch.float64)
    logits[:, 1] = torch.linspace(-8, 8, 50, dtype=torch.float64)
    assert (loss(logits, torch.ones(50, dtype=torch.long)).diff() < 0).all()


@every_loss
@both_forms
def test_shapes_and_numbers_that_do_not_fit_are_refused(name, labels):
    loss, gradient, _ = functions(name)
    logits, targets, _ = draw(labels)
    options = options_of(name, labels)
    for function in (loss, gradient):
        with pytest.raises(DataError, match=r"targets must have the shape of the logits \(9, 4\)"):
            function(logits, torch.zeros(B, 1), **options)
        with pytest.raises(DataError, match=r"sample_weight must have shape"):
            function(logits, targets, sample_weight=torch.ones(B - 1), **options)
        with pytest.raises(DataError, match=r"label_smoothing must be at least 0 and below 1, got 1"):
            function(logits, targets, **options | {"label_smoothing": 1.0})
        if not labels:
            with pytest.raises(DataError, match=r"class indices \(whole numbers\), got torch.float64"):
                function(logits, targets.double(), **options)
            with pytest.raises(DataError, match="multilabel=True needs targets of the shape of the logits"):
                function(logits, targets, multilabel=True, **options)
        for key in set(options) & {"counts", "weights"}:
            with pytest.raises(DataError, match=f"{key} must have shape"):
                function(logits, targets, **options | {key: [1.0, 2.0, 3.0]})
            with pytest.raises(DataError, match=f"{key} must be non-negative and finite"):
                function(logits, targets, **options | {key: -options[key]})
            with pytest.raises(DataError, match=f"{key} must be non-negative and finite"):
                function(logits, targets, **options | {key: float("nan") * options[key]})


@pytest.mark.parametrize("name", ["class_balanced", "logit_adjusted", "ldam", "balanced_softmax"])
def test_losses_that_need_counts_say_so(name):
    logits, targets, _ = draw(False)
    for function in functions(name):
        with pytest.raises(DataError, match="needs counts, the number of training examples of each class"):
            function(logits, targets)
        with pytest.raises(DataError, match="at least one example of every class"):
            function(logits, targets, counts=[3, 0, 1, 1])


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("focal", "gamma", -1.0),
        ("asymmetric", "gamma_pos", -1.0),
        ("asymmetric", "gamma_neg", float("nan")),
        ("class_balanced", "beta", 1.0),
        ("class_balanced", "gamma", -0.1),
        ("logit_adjusted", "tau", -1.0),
        ("ldam", "margin", -1.0),
        ("ldam", "scale", -1.0),
    ],
)
def test_parameters_out_of_range_are_named(name, option, value):
    logits, targets, _ = draw(False)
    with pytest.raises(DataError, match=f"{option} must be at least 0"):
        functions(name)[0](logits, targets, **options_of(name, False) | {option: value})


def test_other_mistakes_are_named():
    logits, targets, _ = draw(False)
    with pytest.raises(DataError, match="base must be softmax or sigmoid, got 'tanh'"):
        losses.class_balanced(logits, targets, counts=COUNTS, base="tanh")
    with pytest.raises(DataError, match="margin belongs to labels"):
        losses.asymmetric(logits, targets, margin=0.05)
    with pytest.raises(DataError, match="margin must be at least 0 and below 1"):
        losses.asymmetric(logits, draw(True)[1], margin=1.0)
    with pytest.raises(DataError, match="give counts or alpha, not both"):
        losses.focal(logits, targets, counts=COUNTS, alpha=COUNTS)
    with pytest.raises(DataError, match="1 - alpha must be at least 0"):
        losses.focal(logits, draw(True)[1], alpha=1.5)
    with pytest.raises(DataError, match="effective numbers need at least one example"):
        losses.effective_weights([1, 0], 0.9)
