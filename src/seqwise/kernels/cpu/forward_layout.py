"""Where everything lies in the memory of a forward pass, and which matrices are packed for it.

Axis letters: D input features, H hidden units.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from seqwise.kernels.cpu.cell_kernels import Sizes
from seqwise.kernels.cpu.layout import Layout

_PAIRS_AHEAD = 96  # rows of the input projection: enough that a panel of weights is read once for many


class Matrix(NamedTuple):
    """Rows of W or U, and their bias, that are packed together.

    Attributes:
        panels: The field of the packed matrix.
        bias: The field of the bias.
        of_input: Whether they are of W.
        above: The first of the rows.
        rows: How many.
        depth: Columns.
    """

    panels: str
    bias: str
    of_input: bool
    above: int
    rows: int
    depth: int


@lru_cache(256)
def find_matrices(sizes: Sizes) -> list[Matrix]:
    """The matrices of a cell: those of the input, and those of each stage."""
    matrices = [Matrix("input_weights", "input_bias", True, 0, sizes.gates[0], sizes.features)]
    above = 0
    for k, rows in enumerate(sizes.stages):
        matrices.append(Matrix(f"weights_{k}", f"bias_{k}", False, above, rows, sizes.hidden))
        above += rows
    return matrices


@lru_cache(256)
def make_weight_layout(sizes: Sizes) -> Layout:
    """A layout of packed weights alone."""
    return Layout(sizes.kernels.forward_fields, _packed(sizes), [{}], [{}])


@lru_cache(256)
def make_layout(sizes: Sizes, save: bool, *, with_weights: bool = True) -> Layout:
    """The layout of a call.

    Args:
        sizes: On which it depends.
        save: Whether a backward pass will follow.
        with_weights: Whether weights are packed by the call; otherwise its fields say where they are.
    """
    cell, padded, row = sizes.kernels.plan, sizes.padded, sizes.row
    inputs, recurrent = sizes.gates
    shared = {"zeros": padded(max(inputs, recurrent, sizes.features))}
    if with_weights:
        shared |= _packed(sizes)
    row_of_saved = len(cell.saved) * row
    if not save:
        shared["saved"] = sizes.batch * row_of_saved
    constants = {
        "hidden": sizes.hidden, "features": sizes.features, "batch": sizes.batch, "projected_row": padded(inputs),
        "saved_row": row_of_saved, "saved_step": sizes.batch * row_of_saved if save else 0,
    }  # fmt: skip
    constants |= {f"product_row_{k}": padded(rows) for k, rows in enumerate(sizes.stages)}
    constants |= {f"state_row_{k}": row for k in range(len(cell.program.states))}
    own = []
    for rows in sizes.rows:
        pairs = max(1, _PAIRS_AHEAD // rows) * rows
        parts = {"projected": pairs * padded(inputs), "x_table": 8 * pairs}
        parts["masked_x"] = pairs * sizes.features * sizes.kernels.size if sizes.masked else 0
        for k, gates in enumerate(sizes.stages):
            copied = 0 if k in cell.direct else rows
            parts |= {f"product_{k}": rows * padded(gates), f"operand_{k}": copied * row}
            parts[f"operand_table_{k}"] = 8 * copied
        own.append(parts | {f"current_{k}": 8 * rows for k in range(len(cell.program.states))})
    threads = [constants | {"rows": rows, "chunk_steps": max(1, _PAIRS_AHEAD // rows)} for rows in sizes.rows]
    return Layout(sizes.kernels.forward_fields, shared, own, threads)


def _packed(sizes: Sizes) -> dict[str, int]:
    """Bytes of the panels of every matrix, and of the biases that there are."""
    shared = {}
    for matrix in find_matrices(sizes):
        shared[matrix.panels] = matrix.depth * sizes.padded(matrix.rows)
        if sizes.biases[0 if matrix.of_input else 1]:
            shared[matrix.bias] = sizes.padded(matrix.rows)
    return shared
