"""Bodies that no client should send, and some that it may."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

WRONG: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e308, 1e-308, "", " ", "a", "\x00",
    "\u202e", "🙂", "null", "x" * 3000, [], [[]], [None], [1, "a"], [[[[1]]]], {}, {"": ""}, {"text": "a"}, ["a"] * 50,
    [0.0] * 40, [[0.0, 1.0]] * 5, [[1.0], [1.0, 2.0]], "../../etc/passwd", "%s%n", "<script>", "\ufeff", "\uffff",
]  # fmt: skip
RAW = [
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"9" * 400, b"0." + b"1" * 400, b'"\\ud800"',
    b'"\\udc00\\ud800"', b'"\\u0000"', b'"\xff\xfe"', b'"\xed\xa0\x80"', b"tru", b"'a'", b"01", b"1.", b".5", b"+1",
    b'"\n"', b"//", b'"a" "b"',
]  # fmt: skip
MARK = "@@here@@"


def fuzzed_bodies(examples: list[dict[str, Any]], seed: int) -> Iterator[bytes]:
    """Without end: random bytes, deep JSON, huge numbers, halves of surrogate pairs, and examples with something changed."""
    rng = random.Random(seed)
    makers: list[Callable[[random.Random, dict[str, Any]], bytes]] = [
        random_bytes, deep, wrong_value, wrong_value, wrong_value, raw_value, raw_value, changed_bytes, changed_bytes,
        more_keys, fewer_keys, other_encoding, random_json, twice,
    ]  # fmt: skip
    while True:
        yield rng.choice(makers)(rng, copy.deepcopy(rng.choice(examples)))


def random_bytes(rng: random.Random, example: dict[str, Any]) -> bytes:
    return rng.randbytes(rng.choice([0, 1, 2, 10, 100, 3000]))


def deep(rng: random.Random, example: dict[str, Any]) -> bytes:
    depth = rng.choice([10, 100, 190, 210, 1000, 20_000])
    opening, closing = rng.choice([(b"[", b"]"), (b'{"text":', b"}"), (b'{"inputs":[', b"]}")])
    inside = opening * depth + (closing * depth if rng.random() < 0.7 else b"")
    if rng.random() < 0.5:
        return inside
    return with_raw(example, rng.choice(places(example)), inside)


def wrong_value(rng: random.Random, example: dict[str, Any]) -> bytes:
    put(example, rng.choice(places(example)), rng.choice(WRONG))
    return written(example, rng)


def raw_value(rng: random.Random, example: dict[str, Any]) -> bytes:
    return with_raw(example, rng.choice(places(example)), rng.choice(RAW))


def changed_bytes(rng: random.Random, example: dict[str, Any]) -> bytes:
    body = bytearray(written(example, rng))
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        place = rng.randrange(len(body) + 1)
        what = rng.random()
        if what < 0.4:
            body[place:place] = rng.randbytes(1)
        elif what < 0.7:
            del body[place : place + rng.randrange(1, 5)]
        else:
            body[place : place + 1] = rng.randbytes(1)
        if not body:
            break
    return bytes(body)


def more_keys(rng: random.Random, example: dict[str, Any]) -> bytes:
    for _ in range(rng.choice([1, 1, 3, 100])):
        key = rng.choice(["", "text", "model", "inputs", "x" * 500, "__class__", "\x00", "🙂", str(rng.random())])
        example[key] = rng.choice(WRONG)
    return written(example, rng)


def fewer_keys(rng: random.Random, example: dict[str, Any]) -> bytes:
    for key in list(example):
        if rng.random() < 0.5:
            del example[key]
    return written(example, rng)


def other_encoding(rng: random.Random, example: dict[str, Any]) -> bytes:
    text = json.dumps(example, ensure_ascii=False)
    return text.encode(rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "utf-7"]), errors="replace")


def random_json(rng: random.Random, example: dict[str, Any]) -> bytes:
    return written(tree(rng, 4), rng)


def twice(rng: random.Random, example: dict[str, Any]) -> bytes:
    body = written(example, rng)
    return rng.choice([body + body, body + b",", b"[" + body + b"]", body[: len(body) // 2], b" " * 1000 + body])


def tree(rng: random.Random, depth: int) -> Any:
    if depth == 0 or rng.random() < 0.3:
        return rng.choice(WRONG)
    if rng.random() < 0.4:
        return [tree(rng, depth - 1) for _ in range(rng.randrange(5))]
    keys = ["text", "inputs", "model", "priors", "tokens", "frames", "series", "prompt", "k", "word", "a"]
    return {rng.choice(keys): tree(rng, depth - 1) for _ in range(rng.randrange(5))}


def written(value: Any, rng: random.Random) -> bytes:
    return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def with_raw(example: dict[str, Any], place: tuple[Any, ...], raw: bytes) -> bytes:
    put(example, place, MARK)
    return json.dumps(example).encode().replace(json.dumps(MARK).encode(), raw)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a JSON value; of long lists only some."""
    found: list[tuple[Any, ...]] = [at] if at else []
    inside = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for key, one in inside:
        found += places(one, (*at, key))
    return found or [("text",)]


def put(value: Any, place: tuple[Any, ...], what: Any) -> None:
    for key in place[:-1]:
        value = value[key]
    value[place[-1]] = what
