"""What every recurrence backend takes and gives.

Time comes first. There are two kinds of backend, both on raw tensors that have been checked:

* Code made of PyTorch's own functions, which PyTorch differentiates as often as one likes:
  `forward(program, x, initial, weights, variant) -> Result`.
* Kernels, which PyTorch cannot look into:
  `forward(program, x, initial, weights, variant, save) -> (Result, saved)`, where `saved` are the buffers that the
  backward pass will want (none unless `save`), and
  `backward(program, x, initial, weights, variant, result, saved, upstream, needs_x) -> Gradients`.
  `saved_shapes(program, variant, steps, batch, hidden)` tells the shapes of these buffers, which have the dtype and
  device of x, before anything runs; sizes may be symbolic, and the values of the variant's tensors must not matter.
  Results, buffers and gradients are contiguous and share no memory with one another or with what was given, but for
  `states[0]`, which may be `outputs`. Lengths may say nothing.

Every backend has `find_obstacle(program, variant, x=None)`: what keeps it from running this, in words, empty if nothing
does. x gives device and dtype; None leaves them open.

Axis letters: B batch, T steps, D input features, H hidden units, S states, Gx input gates, Gh recurrent gates.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Weights(NamedTuple):
    """The parameters of one layer in one direction; row blocks in the order of the program's gates.

    Attributes:
        input: W (Gx*H, D).
        recurrent: U (Gh*H, H), stage by stage; None where no gate reads a state.
        input_bias: (Gx*H,) or None for zeros.
        recurrent_bias: (Gh*H,) or None for zeros.
        vectors: The `p` vectors (number of vectors, H), or None.
    """

    input: Tensor
    recurrent: Tensor | None = None
    input_bias: Tensor | None = None
    recurrent_bias: Tensor | None = None
    vectors: Tensor | None = None


class Variant(NamedTuple):
    """What happens around the cell.

    Attributes:
        lengths: (B,) int64, 0 <= length <= T: the steps of each row that exist. None: all T.
        resets: (T, B) bool: the states are zero before this step; the reverse direction is cut at the same place, so
            that the parts of a row never see each other. None: never.
        reverse: Run from the last valid step of each row to the first.
        input_mask: (B, D), multiplies the input at every step.
        recurrent_mask: (B, H), multiplies every vector that enters a recurrent product, at every step.
        zoneout: (S, T, B, H), any of the last three possibly 1: how much of each state is kept from the step before.
        all_states: Return every state of every step.
    """

    lengths: Tensor | None = None
    resets: Tensor | None = None
    reverse: bool = False
    input_mask: Tensor | None = None
    recurrent_mask: Tensor | None = None
    zoneout: Tensor | None = None
    all_states: bool = False


class Result(NamedTuple):
    """What a recurrence gives.

    Attributes:
        outputs: (T, B, H), the first state after each step; zero on padding.
        finals: For each state (B, H), its value after the last step of the row in the direction of running.
        states: For each state (T, B, H) as `outputs`, when asked for; otherwise empty.
    """

    outputs: Tensor
    finals: tuple[Tensor, ...]
    states: tuple[Tensor, ...] = ()


class Upstream(NamedTuple):
    """Gradients of a `Result`; None stands for zero.

    Attributes:
        outputs: (T, B, H).
        finals: For each state (B, H).
        states: For each state (T, B, H); empty where the states were not asked for. The first is always None: the
            states of the first are the outputs.
    """

    outputs: Tensor | None
    finals: tuple[Tensor | None, ...]
    states: tuple[Tensor | None, ...] = ()


class Gradients(NamedTuple):
    """Gradients of what a recurrence reads.

    Attributes:
        x: (T, B, D); None where it was not wanted.
        initial: For each state (B, H).
        weights: Fields as in the weights; None where there are none.
    """

    x: Tensor | None
    initial: tuple[Tensor, ...]
    weights: Weights
