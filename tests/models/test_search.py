import math
from itertools import product

import numpy as np
import pytest
import torch

from seqwise.errors import ConfigurationError
from seqwise.models.search import BeamSettings, beam_search

BEGIN, END, V, S = 0, 1, 4, 3


class Toy:
    """A model whose next symbol depends on all that it has read: the state is a hash of it."""

    def __init__(self, seed, attention=True):
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.randn(101, V, generator=generator, dtype=torch.float64).mul(1.5).log_softmax(-1)
        self.table[:, BEGIN] = -math.inf
        self.looks = torch.rand(101, S, generator=generator).softmax(-1)
        self.attention, self.calls = attention, []

    def __call__(self, symbols, states, stays):
        (state,), (salt,) = states, stays
        state = (state * 7 + symbols + 1 + salt) % 101
        self.calls.append(len(symbols))
        return self.table[state], self.looks[state] if self.attention else None, (state,)

    def log_probability(self, symbols, salt):
        """Of one sequence, the end included, read symbol by symbol."""
        state, total = (torch.zeros(1, dtype=torch.int64),), 0.0
        for before, after in zip([BEGIN, *symbols], [*symbols, END], strict=True):
            logs, _, state = self(torch.tensor([before]), state, (torch.tensor([salt]),))
            total += float(logs[0, after])
        return total


def search(toy, salts, longest, **options):
    rows = len(salts)
    limits = torch.as_tensor(longest) if np.ndim(longest) else torch.full((rows,), longest)
    return beam_search(
        toy,
        (torch.zeros(rows, dtype=torch.int64),),
        (torch.tensor(salts),),
        begin=BEGIN,
        end=END,
        longest=limits,
        settings=BeamSettings(**options),
        source=torch.ones(rows, S, dtype=torch.bool),
    )


def every_sequence(longest):
    words = [symbol for symbol in range(V) if symbol not in (BEGIN, END)]
    return [list(of) for length in range(longest) for of in product(words, repeat=length)]


def greedy(toy, salt, longest):
    state, symbol, said = (torch.zeros(1, dtype=torch.int64),), BEGIN, []
    while len(said) < longest - 1:
        logs, _, state = toy(torch.tensor([symbol]), state, (torch.tensor([salt]),))
        symbol = int(logs[0].argmax())
        if symbol == END:
            break
        said.append(symbol)
    return said


@pytest.mark.parametrize("seed", range(8))
def test_a_beam_of_one_is_greedy(seed):
    toy, salts = Toy(seed), [3, 11, 40]
    for (answer,), salt in zip(search(toy, salts, 9, beam=1), salts, strict=True):
        assert answer.symbols == greedy(toy, salt, 9)
        assert answer.log_probability == pytest.approx(toy.log_probability(answer.symbols, salt))


@pytest.mark.parametrize("norm", ["none", "plain", "wu"])
@pytest.mark.parametrize("seed", range(4))
def test_a_full_beam_is_exhaustive_search(seed, norm):
    toy, longest = Toy(seed), 5
    candidates = every_sequence(longest)
    settings = BeamSettings(length_norm=norm, alpha=0.7)
    for (best, second), salt in zip(
        search(toy, [5, 17], longest, beam=len(candidates), length_norm=norm, alpha=0.7, n_best=2, early=False),
        [5, 17],
        strict=True,
    ):
        scores = [toy.log_probability(of, salt) / settings.penalty(len(of) + 1) for of in candidates]
        order = np.argsort(scores)[::-1]
        assert best.symbols == candidates[order[0]]
        assert second.symbols == candidates[order[1]]
        assert best.score == pytest.approx(scores[order[0]])


@pytest.mark.parametrize("early", [True, False])
def test_a_wider_beam_never_finds_less_where_nothing_is_normalised(early):
    for seed in range(6):
        toy = Toy(seed)
        found = [search(toy, [7], 6, beam=k, length_norm="none", early=early)[0][0].score for k in (1, 31)]
        assert found[1] >= found[0] - 1e-12


@pytest.mark.parametrize("options", [{"early": True}, {"early": False}, {"coverage": 0.3}])
def test_sequences_do_not_depend_on_those_beside_them(options):
    toy, salts, longest = Toy(1), [2, 9, 23, 31, 55], [9, 4, 7, 2, 12]
    together = search(toy, salts, longest, beam=3, n_best=3, **options)
    for row, (salt, limit) in enumerate(zip(salts, longest, strict=True)):
        (alone,) = search(toy, [salt], [limit], beam=3, n_best=3, **options)
        assert [of.symbols for of in alone] == [of.symbols for of in together[row]]
        assert [of.score for of in alone] == pytest.approx([of.score for of in together[row]])
        assert all(len(of.symbols) < limit for of in alone)


def test_finished_sequences_cost_no_more():
    toy = Toy(1)
    search(toy, [2, 9, 23, 31], [2, 2, 2, 30], beam=2, early=False)
    assert toy.calls[0] == 8
    assert toy.calls[-1] == 2


def test_attention_is_that_of_the_answer():
    toy = Toy(3)
    (answers,) = search(toy, [13], 6, beam=4, n_best=4)
    for answer in answers:
        state, looks = (torch.zeros(1, dtype=torch.int64),), []
        for symbol in [BEGIN, *answer.symbols]:
            _, look, state = toy(torch.tensor([symbol]), state, (torch.tensor([13]),))
            looks.append(look[0])
        np.testing.assert_allclose(answer.attention, torch.stack(looks).numpy(), rtol=1e-6)
    assert search(Toy(3, attention=False), [13], 6, beam=2)[0][0].attention is None


def test_coverage_takes_off_what_was_not_looked_at():
    toy = Toy(3)
    (answers,) = search(toy, [13], 6, beam=4, n_best=4, coverage=0.5, length_norm="none")
    for answer in answers:
        received = np.minimum(answer.attention.astype(float).sum(0), 1.0)
        assert answer.score == pytest.approx(answer.log_probability + 0.5 * np.log(received).sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"beam": 0}, "at least one hypothesis, not 0"),
        ({"beam": 2, "n_best": 3}, "from 1 to 2 answers, not 3"),
        ({"length_norm": "median"}, "wu, plain or none"),
        ({"alpha": -1.0}, "not negative"),
        ({"coverage": math.nan}, "not negative"),
    ],
)
def test_wrong_options_are_refused_in_one_sentence(options, part):
    with pytest.raises(ConfigurationError, match=part):
        BeamSettings(**options)


def test_coverage_needs_attention():
    with pytest.raises(ConfigurationError, match="attention"):
        search(Toy(0, attention=False), [1], 4, coverage=0.2)
