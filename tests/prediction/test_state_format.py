"""A stream's state as bytes: it goes on bit for bit, and what is no such state is refused in one sentence."""

import json
import struct
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from seqwise.errors import DataError
from seqwise.prediction import Predictor
from seqwise.prediction.state_format import state_bytes, state_from
from stream_cases import ENCODERS, STREAM, TASKS, inputs_of
from stream_cases import load as load_predictor
from stream_cases import save as save_model


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The model folder of a task and encoder, made when it is first asked for."""
    made = {}

    def folder(task, encoder):
        if (task, encoder) not in made:
            made[task, encoder] = tmp_path_factory.mktemp("model")
            save_model(task, ENCODERS[encoder], made[task, encoder])
        return made[task, encoder]

    return folder


def same(a, b):
    assert type(a) is type(b)
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("task", TASKS)
def test_a_stream_goes_on_bit_for_bit_from_its_bytes_in_another_predictor(task, encoder, folders):
    here, there = (load_predictor(task, folders(task, encoder)) for _ in range(2))
    steps, state = inputs_of(task), here.start()
    restored = there.import_state(here.export_state(state))
    for x in steps:
        state, expected = here.step(state, x)
        restored, found = there.step(restored, x)
        same(found, expected)
        content = here.export_state(state)
        assert there.export_state(restored) == content
        restored = there.import_state(content)


def test_a_cache_that_grew_beyond_its_first_slots_is_restored(folders):
    predictor = load_predictor("tagger", folders("tagger", "transformer"))
    state = predictor.start()
    for x in ["a", "bad", "day"] * 30:
        state, _ = predictor.step(state, x)
    assert state.network.keys.shape[3] == 128
    restored = predictor.import_state(predictor.export_state(state))
    same(predictor.step(restored, "good")[1], predictor.step(state, "good")[1])


def test_sequences_side_by_side_are_restored_from_what_they_began_with(folders):
    predictor = load_predictor("regressor", folders("regressor", "lstm"))
    state, _ = predictor.step(predictor.start(3), ["a", "bad", "good"])
    restored = predictor.import_state(predictor.export_state(state), predictor.start(3))
    same(predictor.step(restored, ["b", "c", "day"])[1], predictor.step(state, ["b", "c", "day"])[1])


def test_a_state_says_nothing_of_the_process_that_wrote_it(folders):
    predictor = load_predictor("classifier", folders("classifier", "lstm"))
    state, _ = predictor.step(predictor.start(), "good day")
    arrays = load(predictor.export_state(state))
    kept = {"network.count", "network.total", "network.largest", "network.states.0.0.0", "network.states.0.0.1"}
    assert set(arrays) == {*kept, "answer"}
    addresses = {state.network.address, *state.network.layers[0][0]}
    whole = np.frombuffer(predictor.export_state(state), np.uint8)
    for begin in range(8):
        numbers = whole[begin : begin + (len(whole) - begin) // 8 * 8].view(np.uint64)
        assert not addresses & set(numbers.tolist())


def test_the_state_of_another_model_is_refused(folders):
    one, other = (load_predictor("classifier", folders("classifier", name)) for name in ("lstm", "gru, two layers"))
    with pytest.raises(DataError, match="another model"):
        other.import_state(one.export_state(one.start()))


def content_of(predictor, task):
    state = predictor.start()
    for x in inputs_of(task)[:4]:
        state, _ = predictor.step(state, x)
    return predictor.export_state(state)


def changed(content, change):
    """The same file after a change of its arrays and header."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["seqwise"])
    arrays = dict(load(content))
    change(arrays, header)
    return save(arrays, {"seqwise": json.dumps(header)})


CHANGES = {
    "no array": lambda arrays, header: arrays.popitem(),
    "one more": lambda arrays, header: arrays.update(more=np.zeros(3)),
    "another shape": lambda arrays, header: arrays.update({name: np.zeros((3, 5)) for name in list(arrays)[:1]}),
    "another type": lambda arrays, header: arrays.update(
        {name: np.zeros(arrays[name].shape, np.int8) for name in [*arrays][:1]}
    ),
    "no values": lambda arrays, header: header.pop("values"),
    "another value": lambda arrays, header: header["values"].update(steps="many"),
    "a negative count": lambda arrays, header: header["values"].update(steps=-1),
    "a flag for a count": lambda arrays, header: header["values"].update(steps=True),
    "one value more": lambda arrays, header: header["values"].update(more=1),
    "another version": lambda arrays, header: header.update(format_version=99),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("task", ["classifier", "language", "transcriber"])
def test_what_is_not_as_it_was_written_is_refused(task, change, folders):
    predictor = load_predictor(task, folders(task, "lstm"))
    with pytest.raises(DataError, match="the state "):
        predictor.import_state(changed(content_of(predictor, task), change))


def grown(name, axis, size):
    def change(arrays, header):
        for path in [path for path in arrays if path.endswith(name)]:
            shape = list(arrays[path].shape)
            shape[axis] = size
            arrays[path] = np.zeros(shape, arrays[path].dtype)

    return change


def many_read(count):
    def change(arrays, header):
        for path in [path for path in arrays if path.endswith("read")]:
            arrays[path] = np.array([count])

    return change


@pytest.mark.parametrize(
    ("task", "encoder", "change"),
    [
        ("transcriber", "lstm", grown("waiting", 1, 3)),
        ("transcriber", "lstm", lambda arrays, header: arrays.update({"network.path": np.array([0, 99])})),
        ("transcriber", "lstm", lambda arrays, header: arrays.update({"network.path": np.array([-1])})),
        ("forecaster", "lstm", grown("recent", 1, 3)),
        ("classifier", "transformer", many_read(2**40)),
        ("classifier", "transformer", many_read(-1)),
        ("classifier", "transformer", grown("keys", 3, 128)),
        ("language", "transformer that forgets", grown("values", 3, 128)),
        ("language", "transformer that forgets", many_read(-1)),
        ("classifier", "lstm", lambda arrays, header: arrays.update({"network.count": np.array([-3])})),
        ("classifier", "lstm", lambda arrays, header: arrays.update({"answer": np.zeros(7)})),
    ],
)
def test_what_no_sequence_leads_to_is_refused(task, encoder, change, folders):
    predictor = load_predictor(task, folders(task, encoder))
    with pytest.raises(DataError):
        predictor.import_state(changed(content_of(predictor, task), change))


@pytest.mark.parametrize("shape", [[2**62, 2**62], [2**40], [-1], [2**63], [1e300], ["a"], None])
def test_huge_and_senseless_shapes_cost_nothing(shape, folders):
    predictor = load_predictor("classifier", folders("classifier", "lstm"))
    tensor = {"dtype": "F32", "shape": shape, "data_offsets": [0, 8]}
    header = {"__metadata__": {"seqwise": "{}"}, "network.count": tensor}
    text = json.dumps(header).encode()
    with pytest.raises(DataError, match="damaged"):
        predictor.import_state(struct.pack("<Q", len(text)) + text + bytes(8))


@pytest.mark.parametrize("text", [b"[" * 500_000, b'{"__metadata__":' * 9, b"{}", b"", b"\xff" * 20])
def test_a_header_of_another_kind_is_refused(text, folders):
    predictor = load_predictor("classifier", folders("classifier", "lstm"))
    with pytest.raises(DataError, match="damaged"):
        predictor.import_state(struct.pack("<Q", len(text)) + text)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_still_a_state(data, folders):
    predictor = load_predictor("tagger", folders("tagger", "transformer"))
    content = bytearray(content_of(predictor, "tagger"))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, min(len(content) - 1, 1500)))
        content[place] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2, 9, 3]))])
    with suppress(DataError):
        predictor.step(predictor.import_state(content), "day")


def test_every_kind_of_part_is_written_and_read():
    state = (1, None, "text", 2.5, True, [np.arange(3), (torch.zeros(2, 2),)], ())
    found = state_from(state_bytes(state, "m"), state, "m")
    assert found[:5] == state[:5]
    np.testing.assert_array_equal(found[5][0], state[5][0])
    assert torch.equal(found[5][1][0], state[5][1][0])


PACKED = """
import sys
from seqwise.prediction import Predictor
predictor = Predictor.load(sys.argv[1], packed=True)
state = predictor.start()
for word in sys.argv[2:]:
    state, found = predictor.step(state, word)
state = predictor.import_state(predictor.export_state(state))
assert "torch" not in sys.modules
print(*found, predictor.step(state, "good")[0].steps)
"""


@pytest.mark.parametrize("encoder", ["lstm", "gru, two layers"])
def test_packed_weights_take_the_same_steps_without_torch(encoder, folders):
    path = folders("classifier", encoder)
    predictor = Predictor.load(path, device="cpu")
    state = predictor.start()
    for word in STREAM:
        state, expected = predictor.step(state, word)
    run = subprocess.run([sys.executable, "-c", PACKED, path, *STREAM], check=True, capture_output=True, text=True)
    *found, steps = run.stdout.split()
    np.testing.assert_array_equal(np.array(found, float), expected)
    assert int(steps) == len(STREAM) + 1
    other = Predictor.load(path, packed=True)
    state, content = other.import_state(predictor.export_state(state)), predictor.export_state(state)
    assert other.export_state(state) == content
