from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqwise.training.checkpoint_store import load_checkpoint, save_checkpoint
from seqwise.training.random_states import random_states, set_random_states
from seqwise.training.tensor_tree import decode, encode

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.sampled_from(["dict", "tuple", "tensor", "array"]), inner)
    ),
)


@given(trees)
def test_a_tree_without_tensors_comes_back_through_json(tree):
    plain, tensors = encode(tree)
    assert tensors == {}
    assert decode(json.loads(json.dumps(plain)), {}) == tree


@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool"],
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (5, 3)])
def test_tensors_of_every_type_and_shape_come_back_bit_for_bit(tmp_path, dtype, shape):
    tensor = (torch.randn(shape) * 3).to(getattr(torch, dtype))
    strided = torch.arange(24.0).reshape(4, 6).t()[::2]
    save_checkpoint(tmp_path, {"odd": torch.ones(3, dtype=torch.uint8), "tensor": [tensor], "strided": strided})
    back = load_checkpoint(tmp_path)
    assert back["tensor"][0].dtype is tensor.dtype
    assert torch.equal(back["tensor"][0], tensor)
    assert torch.equal(back["strided"], strided)


def test_tensors_that_share_memory_are_both_saved(tmp_path):
    tensor = torch.randn(4)
    save_checkpoint(tmp_path, {"a": tensor, "b": tensor, "c": tensor[1:]})
    back = load_checkpoint(tmp_path)
    assert torch.equal(back["b"], tensor)
    assert torch.equal(back["c"], tensor[1:])


@pytest.mark.parametrize("value", [object(), {1, 2}, np.float32(1) + 1j, torch.zeros(2, dtype=torch.complex64)])
def test_what_cannot_be_saved_is_named(tmp_path, value):
    with pytest.raises(TypeError, match=r"deep/0: a checkpoint cannot hold"):
        save_checkpoint(tmp_path, {"deep": [value]})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("plain", [{}, {"dict": 3}, {"dict": [1]}, {"tensor": "absent"}, {"unknown": 1}])
def test_what_encode_did_not_write_is_refused(plain):
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(plain, {})


def test_random_states_come_back_through_a_file(tmp_path):
    save_checkpoint(tmp_path, random_states())
    expected = random.random(), np.random.rand(), torch.rand(3)  # noqa: NPY002
    set_random_states(load_checkpoint(tmp_path))
    drawn = random.random(), np.random.rand(), torch.rand(3)  # noqa: NPY002
    assert drawn[:2] == expected[:2]
    assert torch.equal(drawn[2], expected[2])


def test_the_file_is_what_the_safetensors_library_reads(tmp_path):
    from safetensors.torch import load_file

    path = save_checkpoint(tmp_path, {"weights": {"a": torch.randn(2, 3), "b": torch.arange(5)}})
    assert set(load_file(path / "tensors.safetensors")) == {"/weights/a", "/weights/b"}
