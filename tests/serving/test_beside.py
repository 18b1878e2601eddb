"""What is computed beside the batches: bounded, and in time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from seqwise.serving.beside import Beside
from seqwise.serving.problems import Refused
from seqwise.serving.settings import ServerSettings


def test_a_call_that_is_too_late_counts_until_its_thread_is_free():
    async def check():
        beside, go = Beside(ServerSettings(max_streams=1, max_queue=1)), threading.Event()
        soon = asyncio.get_running_loop().time() + 0.05
        with pytest.raises(Refused, match="in time") as late:
            await beside.run(go.wait, 30, deadline=soon)
        assert late.value.status == 504
        assert beside.busy
        later = asyncio.get_running_loop().time() + 30
        waiting = asyncio.ensure_future(beside.run(lambda: "done", deadline=later))
        await asyncio.sleep(0.01)
        with pytest.raises(Refused) as refused:
            await beside.run(lambda: None, deadline=later)
        assert refused.value.status == 429
        go.set()
        assert await waiting == "done"
        await asyncio.sleep(0.05)
        assert not beside.busy
        beside.close()

    asyncio.run(check())


def test_who_goes_away_before_the_thread_begins_leaves_the_queue():
    async def check():
        beside, go, begun = Beside(ServerSettings(max_streams=1)), threading.Event(), []
        later = asyncio.get_running_loop().time() + 30
        first = asyncio.ensure_future(beside.run(go.wait, 30, deadline=later))
        second = asyncio.ensure_future(beside.run(begun.append, 1, deadline=later))
        await asyncio.sleep(0.02)
        second.cancel()
        await asyncio.sleep(0.02)
        go.set()
        assert await first
        await asyncio.sleep(0.05)
        assert not begun
        assert not beside.busy
        beside.close()

    asyncio.run(check())


def test_what_a_function_raises_is_raised():
    async def check():
        beside = Beside(ServerSettings())
        with pytest.raises(ZeroDivisionError):
            await beside.run(lambda: 1 / 0, deadline=asyncio.get_running_loop().time() + 30)
        beside.close()

    asyncio.run(check())
