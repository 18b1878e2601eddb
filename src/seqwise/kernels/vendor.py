"""The vendors' fused recurrences, through torch: oneDNN (CPU, LSTM), cuDNN (CUDA), ATen's own loops (the rest of the CPU).

Used only where the mathematics is exactly theirs. What is added around the fused call is ragged batches and reversal.

Ragged on CUDA: cuDNN takes packed sequences, and is given them.
Ragged on CPU: torch runs a packed LSTM in a slow loop of single steps (3 times the padded time at B 64, T 200, D 100,
H 128 with rows of 40% mean length; GRU and RNN 1.5 to 2 times), so the batch stays padded. Steps before the end of a row
cannot see what follows, and their outputs are right as they are. The reverse direction turns each row round within its
own length, which costs what a plain flip would. That leaves the final state: a gather of the outputs, except for the
LSTM's c, which no output shows. It is carried through the padding unchanged: one more input column is 1 on padding and has
weights that close the input gate and open the forget gate so far that they are 0 and 1 exactly, in value and in
derivative. Measured cost of that column: below the noise.

Axis letters: B batch, T steps, D input features, H hidden units.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from seqwise.cells import Program, gru_reset_after, lstm, rnn, rnn_relu
from seqwise.kernels.contract import Result, Variant, Weights

_FUSED: dict[Program, Callable[..., Any]] = {
    rnn.program: torch.rnn_tanh,
    rnn_relu.program: torch.rnn_relu,
    gru_reset_after.program: torch.gru,
    lstm.program: torch.lstm,
}
# Here sigmoid is exactly 0 or 1 in every dtype, whatever a trained gate adds; bfloat16 can hold it.
_SATURATED = 1e4


def find_obstacle(program: Program, variant: Variant, x: Tensor | None = None) -> str:
    """What keeps the vendor's code from computing this, or an empty string; the same on every device and dtype."""
    if program not in _FUSED:
        return f"cell {program.name}"
    options = {
        "resets": variant.resets,
        "input dropout": variant.input_mask,
        "recurrent_dropout": variant.recurrent_mask,
        "zoneout": variant.zoneout,
        "all_states": True if variant.all_states and len(program.states) > 1 else None,
    }
    return next((name for name, value in options.items() if value is not None), "")


def forward(program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, variant: Variant) -> Result:
    """Run the recurrence; arguments and result as in `reference.forward`."""
    lengths = variant.lengths
    if lengths is not None and x.is_cuda and int(lengths.min()) > 0:  # a packed sequence has no empty rows
        outputs, finals = _run_packed(program, x, initial, weights, lengths, variant.reverse)
    elif lengths is not None:
        outputs, finals = _run_padded(program, x, initial, weights, lengths, variant.reverse)
    else:
        x = x.flip(0) if variant.reverse else x
        outputs, finals = _call(program, x, initial, weights)
        outputs = outputs.flip(0) if variant.reverse else outputs
    return Result(outputs, finals, (outputs,) if variant.all_states else ())


def _run_padded(
    program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, lengths: Tensor, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    steps, batch, _ = x.shape
    valid = torch.arange(steps, device=x.device).unsqueeze(1) < lengths  # (T, B)
    x = torch.where(valid.unsqueeze(-1), x, 0.0)  # not a product: 0 * NaN is NaN
    turn = _find_turned_rows(valid, lengths) if reverse else None
    if turn is not None:
        x = _take_rows(x, turn)
    if program == lstm.program:
        x = torch.cat([x, (~valid).unsqueeze(-1).to(x.dtype)], -1)  # (T, B, D + 1)
        weights = weights._replace(input=torch.cat([weights.input, _freezing_column(weights.input)], 1))
    outputs, finals = _call(program, x, initial, weights)
    last = (lengths - 1).clamp(min=0).view(1, batch, 1).expand(1, batch, outputs.shape[-1])
    hidden = torch.where(lengths.unsqueeze(1) > 0, outputs.gather(0, last).squeeze(0), initial[0])
    if turn is not None:
        outputs = _take_rows(outputs, turn)
    return torch.where(valid.unsqueeze(-1), outputs, 0.0), (hidden, *finals[1:])


def _run_packed(
    program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, lengths: Tensor, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    steps = x.shape[0]
    turn = None
    if reverse:
        turn = _find_turned_rows(torch.arange(steps, device=x.device).unsqueeze(1) < lengths, lengths)
        x = _take_rows(x, turn)
    packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
    data, sizes, order, back = packed
    assert order is not None
    assert back is not None
    data, finals = _call(program, data, tuple(s.index_select(0, order) for s in initial), weights, sizes)
    outputs, _ = pad_packed_sequence(PackedSequence(data, sizes, order, back), total_length=steps)
    if turn is not None:
        outputs = _take_rows(outputs, turn)
    return outputs, tuple(s.index_select(0, back) for s in finals)


def _call(
    program: Program, x: Tensor, initial: tuple[Tensor, ...], weights: Weights, batch_sizes: Tensor | None = None
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """One layer, one direction: x (T, B, D), or the packed (N, D) with batch sizes; states (B, H)."""
    biases = (weights.input_bias, weights.recurrent_bias)
    given = [b for b in biases if b is not None]
    parameters = [weights.input, weights.recurrent, *given]
    states: Any = tuple(s.unsqueeze(0).contiguous() for s in initial)
    states = states if len(states) > 1 else states[0]
    # The flag "train" means "a backward pass may follow", which cuDNN and oneDNN must know, whatever the module's mode.
    options = (bool(given), 1, 0.0, torch.is_grad_enabled(), False)
    sizes = () if batch_sizes is None else (batch_sizes,)
    layout = (False,) if batch_sizes is None else ()  # batch_first
    # cuDNN wants all weights in one buffer, copies them there at each call and warns: small beside the recurrence.
    with _without_buffer_warning() if x.is_cuda else nullcontext():
        outputs, *finals = _FUSED[program](x, *sizes, states, parameters, *options, *layout)
    return outputs, tuple(s.squeeze(0) for s in finals)


@contextmanager
def _without_buffer_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")
        yield


def _freezing_column(matrix: Tensor) -> Tensor:
    """(4H, 1): weights of the padding mark for the gates i, f, g, o."""
    hidden = matrix.shape[0] // 4
    column = matrix.new_zeros(matrix.shape[0], 1)
    column[:hidden] = -_SATURATED
    column[hidden : 2 * hidden] = _SATURATED
    return column


def _find_turned_rows(valid: Tensor, lengths: Tensor) -> Tensor:
    """(T*B,): for each step and row, where the time-reversed row of that length has its value; its own inverse."""
    steps, batch = valid.shape
    times = torch.arange(steps, device=valid.device).unsqueeze(1)
    source = torch.where(valid, lengths - 1 - times, times)
    return (source * batch + torch.arange(batch, device=valid.device)).flatten()


def _take_rows(x: Tensor, rows: Tensor) -> Tensor:
    return x.reshape(-1, x.shape[-1]).index_select(0, rows).view(x.shape)
