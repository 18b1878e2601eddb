"""A backend that PyTorch cannot look into, for tests: the reference forward, and autograd only inside `backward`.

It keeps the states of every step, as a kernel would, and insists on what the contract promises to kernels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from seqwise.kernels import reference
from seqwise.kernels.contract import Gradients, Result, Upstream, Variant, Weights
from seqwise.ops import Backend


@dataclass
class Opaque:
    """A row for `BACKENDS`, and what was asked of it.

    Attributes:
        calls: For each call "forward" or "backward" and what matters about it.
    """

    calls: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def row(self) -> Backend:
        return Backend(self.find_obstacle, self.forward, self.backward, self.saved_shapes)

    def find_obstacle(self, program, variant: Variant, x: Tensor | None = None) -> str:
        if x is not None and x.dtype not in (torch.float32, torch.float64):
            return str(x.dtype)
        masks = {
            "input dropout": variant.input_mask,
            "recurrent_dropout": variant.recurrent_mask,
            "zoneout": variant.zoneout,
        }
        wanting = [name for name, mask in masks.items() if mask is not None and mask.requires_grad]
        return f"a gradient with respect to the mask of {wanting[0]}" if wanting else ""

    def saved_shapes(self, program, variant: Variant, steps, batch, hidden) -> list[tuple]:
        shapes = [(steps, batch, hidden)] * len(program.states)
        return [*shapes, (hidden, batch)] if variant.lengths is not None else shapes

    def forward(self, program, x, initial, weights, variant: Variant, save: bool) -> tuple[Result, list[Tensor]]:
        assert not torch.is_autocast_enabled(x.device.type)
        self.calls.append(("forward", save))
        with torch.no_grad():
            tracks = reference.forward(program, x, initial, weights, variant._replace(all_states=True))
        states = tuple(s.clone() for s in tracks.states) if variant.all_states else ()
        result = Result(tracks.outputs.clone(), tuple(f.clone() for f in tracks.finals), states)
        shapes = self.saved_shapes(program, variant, *x.shape[:2], initial[0].shape[1])
        kept = [*(s.clone() for s in tracks.states), *(x.new_ones(shape) for shape in shapes[len(initial) :])]
        return result, kept if save else []

    def backward(
        self, program, x, initial, weights, variant: Variant, result: Result, saved, upstream: Upstream, needs_x: bool
    ) -> Gradients:
        self.calls.append(("backward", (upstream, needs_x)))
        expected = self.saved_shapes(program, variant, *x.shape[:2], initial[0].shape[1])
        assert [s.shape for s in saved] == expected
        assert torch.equal(saved[0], result.outputs)
        leaves = [t.detach().requires_grad_() for t in (x, *initial, *weights) if t is not None]
        given = iter(leaves)
        x, initial = next(given), tuple(next(given) for _ in initial)
        weights = Weights(*(None if w is None else next(given) for w in weights))
        here = torch._C._SetExcludeDispatchKeyGuard(torch._C.DispatchKey.AutogradFunctionality, False)
        with here, torch.enable_grad():
            again = reference.forward(program, x, initial, weights, variant)
            flat = [again.outputs, *again.finals, *again.states]
            into = [upstream.outputs, *upstream.finals, *upstream.states]
            pairs = [(r, u) for r, u in zip(flat, into, strict=True) if u is not None]
            found = torch.autograd.grad([r for r, _ in pairs], leaves, [u for _, u in pairs], allow_unused=True)
        gradients = iter(torch.zeros_like(t) if g is None else g.clone() for t, g in zip(leaves, found, strict=True))
        dx, states = next(gradients), tuple(next(gradients) for _ in initial)
        return Gradients(
            dx if needs_x else None, states, Weights(*(None if w is None else next(gradients) for w in weights))
        )
