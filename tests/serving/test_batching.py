"""The batcher's claims, with functions that wait for the test rather than for a clock."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saved_toy import save_toy
from seqwise.prediction import Predictor
from seqwise.serving.batching import SLACK, SPREAD, Batcher, BatchFigures, choose_batch
from seqwise.serving.problems import Refused
from seqwise.serving.served import Item
from seqwise.serving.settings import ServerSettings

FAR = 1e12  # a deadline that does not come


class Gated:
    """A function that shows what it was given, and goes on when the test says so."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.open, self.begun = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, items: list[Item]) -> list[Any]:
        self.batches.append([item.value for item in items])
        self.begun.release()
        assert self.open.acquire(timeout=30)
        return [("answer", item.value) for item in items]

    async def wait_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.acquire, timeout=30)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 60))


def settings(**changes: Any) -> ServerSettings:
    given = {"max_batch": 4, "max_queue": 8, "max_wait_ms": 0.0} | changes
    return ServerSettings().model_copy(update=given)  # longer waits than a server would allow


def item(value: Any, length: int = 5, options: Any = None) -> Item:
    return Item(value, length, options)


async def start(
    batcher: Batcher, *items: Item, verb: str = "predict", deadline: float = FAR
) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.ensure_future(batcher.submit(verb, of, deadline)) for of in items]
    await asyncio.sleep(0)  # each has put its entry into the queue
    return tasks


def test_an_idle_batcher_takes_the_first_entry_at_once_and_then_all_that_have_gathered() -> None:
    async def scenario() -> None:
        function = Gated()
        batcher = Batcher({"predict": function}, settings(max_wait_ms=60_000))
        first = await start(batcher, item("a"))
        await function.wait_begun()  # alone, though it might have waited a minute for others
        others = await start(batcher, item("b"), item("c"), item("d"))
        function.open.release(2)
        assert await asyncio.gather(*first, *others) == [("answer", value) for value in "abcd"]
        assert function.batches == [["a"], ["b", "c", "d"]]
        await batcher.close()

    run(scenario)


def test_where_requests_come_densely_the_next_batch_waits_until_it_is_full() -> None:
    async def scenario() -> None:
        function = Gated()
        batcher = Batcher({"predict": function}, settings(max_wait_ms=60_000))
        tasks = await start(batcher, item(0))
        await function.wait_begun()
        tasks += await start(batcher, *map(item, range(1, 5)))
        function.open.release()
        await function.wait_begun()  # four that came together
        tasks += await start(batcher, item(5))
        function.open.release()
        await tasks[1]
        tasks += await start(batcher, item(6), item(7), item(8))
        function.open.release(10)
        await asyncio.gather(*tasks)
        assert function.batches == [[0], [1, 2, 3, 4], [5, 6, 7, 8]]
        await batcher.close()

    run(scenario)


def test_a_batch_has_at_most_max_batch_entries_the_oldest_first() -> None:
    async def scenario() -> None:
        function = Gated()
        batcher = Batcher({"predict": function}, settings(max_batch=3))
        tasks = await start(batcher, item(0))
        await function.wait_begun()
        tasks += await start(batcher, *map(item, range(1, 8)))
        function.open.release(10)
        await asyncio.gather(*tasks)
        assert function.batches == [[0], [1, 2, 3], [4, 5, 6], [7]]
        await batcher.close()

    run(scenario)


def test_entries_of_other_options_or_another_verb_never_share_a_batch() -> None:
    async def scenario() -> None:
        predict, score = Gated(), Gated()
        batcher = Batcher({"predict": predict, "score": score}, settings(max_batch=8))
        tasks = await start(batcher, item(0))
        await predict.wait_begun()
        tasks += await start(batcher, item(1, options="x"), item(2, options="y"), item(3, options="x"))
        tasks += await start(batcher, item(4, options="x"), verb="score")
        tasks += await start(batcher, item(5, options="y"))
        predict.open.release(10)
        score.open.release(10)
        await asyncio.gather(*tasks)
        assert predict.batches == [[0], [1, 3], [2, 5]]
        assert score.batches == [[4]]
        await batcher.close()

    run(scenario)


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    async def scenario() -> None:
        function = Gated()
        batcher = Batcher({"predict": function}, settings(max_queue=2))
        tasks = await start(batcher, item(0))
        await function.wait_begun()
        tasks += await start(batcher, item(1), item(2))
        for attempt in (batcher.submit("predict", item(3), FAR), batcher.submit_many("predict", [item(3)], FAR)):
            with pytest.raises(Refused) as caught:
                await attempt
            assert (caught.value.status, caught.value.retry_after) == (429, 1.0)
        function.open.release(2)
        await asyncio.gather(*tasks)
        assert function.batches == [[0], [1, 2]]
        await batcher.close()

    run(scenario)


def test_what_would_wait_long_is_refused_though_the_queue_has_room() -> None:
    async def scenario() -> None:
        now, gate = 0.0, Gated()

        def function(items: list[Item]) -> list[Any]:
            nonlocal now
            answers = gate(items)
            now += sum(of.length for of in items) / 100  # a second for a hundred steps
            return answers

        batcher = Batcher({"predict": function}, settings(max_delay_ms=1000, max_queue=100), clock=lambda: now)
        for number in range(9):  # what is learned of slow first batches is forgotten
            gate.open.release()
            await batcher.submit("predict", item(number, 20), FAR)
            await gate.wait_begun()
        tasks = await start(batcher, item("runs", 20))
        await gate.wait_begun()
        tasks += await start(batcher, item("waits", 60), item("waits too", 50))
        assert batcher.full  # 1.1 seconds of work wait
        with pytest.raises(Refused) as caught:
            await batcher.submit("predict", item("more", 1), FAR)
        assert caught.value.status == 429
        tasks[1].cancel()
        await asyncio.wait([tasks[1]])
        assert not batcher.full
        gate.open.release(10)
        await asyncio.gather(tasks[0], tasks[2])
        await batcher.close()

    run(scenario)


def test_batches_of_long_inputs_are_smaller_but_not_very_small() -> None:
    async def scenario() -> None:
        now, gate = 0.0, Gated()

        def function(items: list[Item]) -> list[Any]:
            nonlocal now
            now += sum(of.length for of in items) / 1000
            return gate(items)

        given = settings(max_batch=64, max_queue=200, max_delay_ms=1e6)
        batcher = Batcher({"predict": function}, given, clock=lambda: now)
        gate.open.release(100)
        for number in range(2):
            await batcher.submit("predict", item(number, 1), FAR)
        gate.open = threading.Semaphore(0)
        tasks = await start(batcher, item(2, 1))
        for _ in range(3):
            await gate.wait_begun()
        tasks += await start(batcher, *(item(number, 1) for number in range(40)))  # 40 ms
        tasks += await start(batcher, *(item(number, 100) for number in range(40)))  # 4 s
        gate.open.release(100)
        await asyncio.gather(*tasks)
        assert [len(batch) for batch in gate.batches[3:]] == [16, 16, 8, 16, 16, 8]
        await batcher.close()

    run(scenario)


def test_after_its_deadline_an_entry_is_refused_and_never_computed() -> None:
    async def scenario() -> None:
        now = 0.0
        function = Gated()
        batcher = Batcher({"predict": function}, settings(), clock=lambda: now)
        (begun,) = await start(batcher, item("begun"), deadline=0.05)
        await function.wait_begun()
        (late,) = await start(batcher, item("late"), deadline=0.04)
        (kept,) = await start(batcher, item("kept"), deadline=FAR)
        now = 0.1
        for task in (late, begun):
            with pytest.raises(Refused, match="in time") as caught:
                await task
            assert caught.value.status == 504
        with pytest.raises(Refused, match="in time"):
            await batcher.submit("predict", item("too late from the beginning"), 0.1)
        function.open.release(2)
        assert await kept == ("answer", "kept")
        assert function.batches == [["begun"], ["kept"]]
        await batcher.close()

    run(scenario)


def test_an_entry_whose_client_has_gone_is_never_computed() -> None:
    async def scenario() -> None:
        function = Gated()
        batcher = Batcher({"predict": function}, settings())
        (first,) = await start(batcher, item("first"))
        await function.wait_begun()
        gone, stays = await start(batcher, item("gone"), item("stays"))
        gone.cancel()
        first.cancel()  # its answer is thrown away
        await asyncio.wait([gone, first])
        assert batcher.queue == 1
        function.open.release(2)
        assert await stays == ("answer", "stays")
        assert function.batches == [["first"], ["stays"]]
        await batcher.close()

    run(scenario)


def test_one_bad_item_does_not_fail_those_that_shared_its_batch() -> None:
    async def scenario() -> None:
        gate, sizes = Gated(), []

        def function(items: list[Item]) -> list[Any]:
            sizes.append(len(items))
            if items[0].value == "gate":
                return gate(items)
            if any(of.value == "bad" for of in items):
                raise ZeroDivisionError("bad")
            return [of.value.upper() for of in items]

        batcher = Batcher({"predict": function}, settings())
        (first,) = await start(batcher, item("gate"))
        await gate.wait_begun()
        tasks = await start(batcher, item("a"), item("bad"), item("b"))
        gate.open.release()
        await first
        a, bad, b = await asyncio.gather(*tasks, return_exceptions=True)
        assert (a, b) == ("A", "B")
        assert isinstance(bad, ZeroDivisionError)
        assert sizes == [1, 3, 1, 1, 1]
        assert await batcher.submit("predict", item("still there"), FAR) == "STILL THERE"
        await batcher.close()

    run(scenario)


def test_a_function_that_gives_too_few_answers_is_an_error_not_a_shift() -> None:
    async def scenario() -> None:
        batcher = Batcher({"predict": lambda items: []}, settings())
        with pytest.raises(RuntimeError, match="1 items have got 0 answers"):
            await batcher.submit("predict", item("a"), FAR)
        await batcher.close()

    run(scenario)


def test_many_items_of_one_request_leave_room_for_those_of_others() -> None:
    async def scenario() -> None:
        function = Gated()
        batcher = Batcher({"predict": function}, settings())
        many = asyncio.ensure_future(batcher.submit_many("predict", map(item, range(20)), FAR))
        await function.wait_begun()
        assert batcher.queue < 4
        (single,) = await start(batcher, item("single"))
        function.open.release(100)
        assert await many == [("answer", number) for number in range(20)]
        assert await single == ("answer", "single")
        place = next(number for number, batch in enumerate(function.batches) if "single" in batch)
        assert place <= 2
        assert await batcher.submit_many("predict", [], FAR) == []
        await batcher.close()

    run(scenario)


def test_an_error_of_one_of_many_items_is_that_of_the_request_and_the_rest_is_dropped() -> None:
    async def scenario() -> None:
        computed: list[Any] = []

        def function(items: list[Item]) -> list[Any]:
            if any(of.value == 5 for of in items):
                raise ValueError("five")
            computed.extend(of.value for of in items)
            return items

        batcher = Batcher({"predict": function}, settings(max_batch=2))
        with pytest.raises(ValueError, match="five"):
            await batcher.submit_many("predict", map(item, range(1000)), FAR)
        assert max(computed) < 100
        await batcher.close()

    run(scenario)


def test_closing_finishes_what_was_there_and_refuses_the_rest() -> None:
    async def scenario() -> None:
        function = Gated()
        batcher = Batcher({"predict": function}, settings(max_wait_ms=60_000))
        tasks = await start(batcher, item(0))
        await function.wait_begun()
        tasks += await start(batcher, *map(item, range(1, 6)))
        closing = asyncio.ensure_future(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(Refused) as caught:
            await batcher.submit("predict", item("late"), FAR)
        assert caught.value.status == 503
        assert not closing.done()
        function.open.release(10)
        assert await asyncio.gather(*tasks) == [("answer", number) for number in range(6)]
        await closing

    run(scenario)


def test_metrics_are_told_of_every_batch_in_the_event_loop() -> None:
    async def scenario() -> None:
        told: list[BatchFigures] = []

        def observe(figures: BatchFigures) -> None:
            asyncio.get_running_loop()
            told.append(figures)

        now, function = 10.0, Gated()
        batcher = Batcher({"predict": function}, settings(max_batch=2), observe, clock=lambda: now)
        tasks = await start(batcher, item(0))
        await function.wait_begun()
        tasks += await start(batcher, item(1), item(2), item(3))
        now = 12.0
        function.open.release(10)
        await asyncio.gather(*tasks)
        await batcher.close()
        assert told == [
            BatchFigures("predict", 1, 1, [0.0], 2.0),
            BatchFigures("predict", 2, 3, [2.0, 2.0], 0.0),
            BatchFigures("predict", 1, 1, [2.0], 0.0),
        ]

    run(scenario)


def entries(*lengths: int, keys: str = "") -> list[Any]:
    keys = keys or "k" * len(lengths)
    return [
        SimpleNamespace(key=key, item=item(n, length))
        for n, (key, length) in enumerate(zip(keys, lengths, strict=True))
    ]


def chosen(waiting: list[Any], most: int = 64) -> list[int]:
    return [entry.item.value for entry in choose_batch(waiting, most)]


def test_texts_of_other_lengths_wait_for_a_batch_of_their_own() -> None:
    assert chosen(entries(100, 1000, 120, 5, 160, 900)) == [0, 2, 4]
    assert chosen(entries(1000, 100, 100, 100, 900)) == [0, 4]
    assert chosen(entries(3, 12, 7, 1)) == [0, 1, 2, 3]
    assert chosen(entries(100, 100, 100, keys="aba")) == [0, 2]


@given(st.lists(st.integers(1, 2000), min_size=1, max_size=40), st.integers(1, 12))
def test_the_oldest_is_in_every_batch_and_padding_is_bounded(lengths: list[int], most: int) -> None:
    numbers = chosen(entries(*lengths), most)
    assert numbers[0] == 0
    assert numbers == sorted(numbers)
    found = [lengths[number] for number in numbers]
    assert max(found) <= SPREAD * min(found) + SLACK
    # No other range around the oldest would have filled the batch better.
    others = [
        sum(low <= length <= SPREAD * low + SLACK for length in lengths)
        for low in lengths
        if low <= lengths[0] <= SPREAD * low + SLACK
    ]
    assert len(numbers) == min(most, max(others))


def test_who_shares_a_batch_has_no_influence_on_an_answer(tmp_path: Path) -> None:
    save_toy(tmp_path, num_layers=2)
    predictor = Predictor.load(tmp_path, "cpu", packed=True)
    texts = [" ".join(["the cat sat", "a dog ran", "yes", "no 🙂"][k % 4] for k in range(n)) for n in range(1, 60)]
    alone = np.concatenate([predictor.predict_proba([text]) for text in texts])

    async def scenario() -> None:
        def function(items: list[Item]) -> list[Any]:
            return list(predictor.predict_proba([of.value for of in items]))

        sizes: list[int] = []
        batcher = Batcher({"predict": function}, settings(max_batch=16, max_queue=99), lambda f: sizes.append(f.size))
        items = [item(text, len(text)) for text in texts]
        together = await asyncio.gather(*(batcher.submit("predict", of, FAR) for of in items))
        np.testing.assert_allclose(np.stack(together), alone, rtol=1e-5)
        assert max(sizes) > 1
        await batcher.close()

    run(scenario)
