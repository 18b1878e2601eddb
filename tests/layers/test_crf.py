import itertools

import pytest
import torch

from seqwise.errors import InputError
from seqwise.layers.crf import CRF
from seqwise.ops.linear_chain import chain_decode, chain_log_likelihood, chain_marginals
from seqwise.text.tag_schemes import allowed_transitions, read_spans
from tolerances import assert_close

TAGS = ["O", "B-X", "I-X", "E-X", "S-X"]
LENGTHS = torch.tensor([4, 1, 3, 2])


def scores(batch=4, steps=4, count=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = (batch, steps, count), (count, count), (count,), (count,)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) * 2 for shape in shapes]


def tags_of(batch=4, steps=4, count=3, seed=1):
    return torch.randint(count, (batch, steps), generator=torch.Generator().manual_seed(seed))


def path_scores(emissions, transitions, first, last):
    """Score of every path of one sequence (T, C), by path."""
    found = {}
    for path in itertools.product(range(len(first)), repeat=len(emissions)):
        score = first[path[0]] + last[path[-1]] + sum(emissions[t, tag] for t, tag in enumerate(path))
        found[path] = score + sum(transitions[pair] for pair in itertools.pairwise(path))
    return found


def enumerated(values, tags, lengths, weights=None):
    """The weighted sum of log P(tag | the one before), one value a sequence, by summing over all paths."""
    emissions, *others = values
    results = []
    for row, length in enumerate(lengths.tolist()):
        found = path_scores(emissions[row, :length], *others)
        given = tuple(tags[row, :length].tolist())
        totals = [
            torch.logsumexp(torch.stack([s for path, s in found.items() if path[:cut] == given[:cut]]), 0)
            for cut in range(length + 1)
        ]
        logs = torch.stack([after - before for before, after in itertools.pairwise(totals)])
        results.append((logs if weights is None else logs * weights[row, :length]).sum())
    return torch.stack(results)


@pytest.mark.parametrize("weighted", [False, True])
def test_likelihoods_and_gradients_are_those_of_summing_over_all_paths(weighted):
    weights = torch.rand(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) + 0.5
    weights = weights if weighted else None
    upstream = torch.randn(4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    ours, theirs = ([value.clone().requires_grad_() for value in scores()] for _ in range(2))
    tags = tags_of()
    logs = chain_log_likelihood(*ours, tags, LENGTHS)
    actual = (logs if weights is None else logs * weights).sum(1)
    expected = enumerated(theirs, tags, LENGTHS, weights)
    assert_close(actual, expected)
    actual.backward(upstream)
    expected.backward(upstream)
    for name, one, other in zip(("emissions", "transitions", "first", "last"), ours, theirs, strict=True):
        assert_close(one.grad, other.grad, name)


def test_the_likelihood_without_weights_is_that_of_the_whole_path():
    values, tags = scores(), tags_of()
    logs = chain_log_likelihood(*values, tags, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        found = path_scores(values[0][row, :length], *values[1:])
        whole = found[tuple(tags[row, :length].tolist())] - torch.logsumexp(torch.stack(list(found.values())), 0)
        assert_close(logs[row].sum(), whole)


def test_marginals_and_best_tags_are_those_of_all_paths():
    values = scores()
    found, best = chain_marginals(*values, LENGTHS), chain_decode(*values, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        paths = path_scores(values[0][row, :length], *values[1:])
        weights = torch.softmax(torch.stack(list(paths.values())), 0)
        expected = torch.zeros(4, 3, dtype=torch.float64)
        for path, weight in zip(paths, weights, strict=True):
            for step, tag in enumerate(path):
                expected[step, tag] += weight
        assert_close(found[row], expected)
        assert tuple(best[row, :length].tolist()) == max(paths, key=lambda path: paths[path])
        assert not best[row, length:].any()


def test_gradients_are_numerically_right_in_a_batch_of_many_lengths():
    values = [value.requires_grad_() for value in scores(3, 6, 4, seed=5)]
    tags, lengths = tags_of(3, 6, 4), torch.tensor([6, 2, 5])
    assert torch.autograd.gradcheck(lambda *given: chain_log_likelihood(*given, tags, lengths), values)


def test_padding_never_changes_anything_not_even_as_nan():
    values, tags = scores(), tags_of()
    poisoned, strange = values[0].clone(), tags.clone()
    for row, length in enumerate(LENGTHS.tolist()):
        poisoned[row, length:] = torch.nan
        strange[row, length:] = -7
    results = []
    for emissions, given in ((values[0], tags), (poisoned, strange)):
        inputs = [value.clone().requires_grad_() for value in (emissions, *values[1:])]
        logs = chain_log_likelihood(*inputs, given, LENGTHS)
        logs.backward(torch.arange(1.0, 17.0, dtype=torch.float64).view(4, 4))
        results.append([logs.detach(), *(value.grad for value in inputs)])
        results[-1] += [chain_marginals(emissions, *values[1:], LENGTHS), chain_decode(emissions, *values[1:], LENGTHS)]
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    alone = chain_log_likelihood(values[0][2:3, :3], *values[1:], tags[2:3, :3])
    assert_close(results[0][0][2, :3], alone[0])


@pytest.mark.slow
def test_ten_thousand_steps_stay_exact_in_single_precision():
    torch.manual_seed(0)
    crf = CRF(len(TAGS), *allowed_transitions(TAGS, "BIOES")).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_()
    emissions = torch.randn(1, 10_000, len(TAGS), dtype=torch.float64) * 5
    tags = crf.decode(emissions)
    expected = crf.log_probabilities(emissions, tags), crf.marginals(emissions)
    crf, emissions = crf.float(), emissions.float().requires_grad_()
    logs, marginals = crf.log_probabilities(emissions, tags), crf.marginals(emissions.detach())
    assert_close(logs, expected[0])
    assert_close(marginals, expected[1])
    assert_close(marginals.sum(-1), torch.ones(1, 10_000))
    logs.sum().backward()
    given = torch.nn.functional.one_hot(tags, len(TAGS)).float()
    assert_close(emissions.grad, given - marginals)  # the textbook's form
    assert all(torch.isfinite(parameter.grad).all() for parameter in crf.parameters())


def test_what_the_scheme_forbids_is_never_said_and_has_no_probability():
    torch.manual_seed(1)
    crf = CRF(len(TAGS), *allowed_transitions(TAGS, "BIOES"))
    emissions = torch.randn(200, 5, len(TAGS)) * 6
    lengths = torch.randint(1, 6, (200,))
    for row, length in zip(crf.decode(emissions, lengths).tolist(), lengths.tolist(), strict=True):
        assert read_spans([TAGS[tag] for tag in row[:length]], "BIOES")[1] == 0
    first = crf.marginals(emissions, lengths)[:, 0]
    assert float(first[:, TAGS.index("I-X")].detach().max()) < 1e-30
    assert float(first[lengths == 1, TAGS.index("B-X")].max()) < 1e-30


def test_where_nothing_allowed_is_left_all_stays_finite():
    tags = ["B-X", "E-X"]  # of one token there is no path
    crf = CRF(2, *allowed_transitions(tags, "BIOES"))
    emissions = torch.zeros(1, 1, 2, requires_grad=True)
    loss = crf(emissions, torch.zeros(1, 1, dtype=torch.int64))
    loss.backward(torch.tensor([1.5]))
    assert torch.isfinite(loss).all()
    assert torch.isfinite(emissions.grad).all()


def test_a_temperature_smooths_marginals_and_keeps_their_order():
    torch.manual_seed(2)
    crf = CRF(4)
    emissions = torch.randn(1, 1, 4)
    sharp, smooth = crf.marginals(emissions), crf.marginals(emissions, temperature=3.0)
    assert_close(smooth[0, 0], torch.softmax(emissions[0, 0] / 3, -1))
    assert float(smooth.max()) < float(sharp.max())
    assert torch.equal(sharp.argsort(), smooth.argsort())


def test_half_precision_is_computed_in_single():
    torch.manual_seed(3)
    crf, tags = CRF(3), tags_of()
    emissions = torch.randn(4, 4, 3).bfloat16()
    assert_close(crf(emissions, tags, LENGTHS), crf(emissions.float(), tags, LENGTHS))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"emissions": torch.zeros(4, 4)}, r"emissions: expected \(B, T, C\)"),
        ({"transitions": torch.zeros(2, 3).double()}, "transitions: expected shape"),
        ({"last": torch.zeros(3)}, "last: scores are all float32 or all float64"),
        ({"lengths": torch.tensor([4, 0, 1, 1])}, "lengths: expected 1 to 4, got 0 to 4"),
        ({"lengths": torch.tensor([4.0])}, "lengths: expected whole numbers"),
        ({"tags": torch.full((4, 4), 3)}, "tags: expected 0 to 2, got 3"),
        ({"tags": torch.zeros(4, 3, dtype=torch.int64)}, "tags: expected int64"),
    ],
)
def test_wrong_arguments_are_named(changed, said):
    names = ("emissions", "transitions", "first", "last")
    arguments = {**dict(zip(names, scores(), strict=True)), "tags": tags_of(), "lengths": LENGTHS, **changed}
    with pytest.raises(InputError, match=said):
        chain_log_likelihood(**arguments)
    with pytest.raises(InputError, match="following: expected shape"):
        CRF(3, following=[[True]])
