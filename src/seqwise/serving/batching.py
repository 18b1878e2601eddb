"""Micro-batching: what several clients ask at the same time is computed together, by one thread of each model.

The event loop puts entries into a bounded queue; the thread takes the oldest one with those that suit it, answers them all
and hands the answers back with one call. A thread that has nothing to do takes the first entry that comes, at once: batches
grow by themselves, from what has gathered while the one before was computed. Only when requests come densely does it wait a
moment for more.

The queue is bounded in number, and in time: what is expected to wait longer than a moment, or than a batch takes, is
refused at once, so that under any load those who are admitted are answered about as quickly as ever. How long things take
is measured while they are computed; batches of long inputs are smaller, since beyond some rows they only take longer.

Texts of near-equal length are computed together, so that padding is bounded; the oldest entry is in the next batch whatever
its length, so that none starves. Who shares a batch has no influence on an answer: rows of a batch never meet, and an error
of one of them does not fail the others, which are then computed one by one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from seqwise.serving.problems import Refused
from seqwise.serving.served import Item
from seqwise.serving.settings import ServerSettings

# A batch's longest item has at most SPREAD times as many steps as its shortest, and SLACK more: of names any two suit each
# other, since a step of a short batch costs less than a batch of one's own.
SPREAD, SLACK = 1.5, 16
DENSE = 4  # so many requests within `max_wait_ms`, and waiting for more pays
RETRY_AFTER_S = 1.0
REMEMBERED = 8  # batches by which the next ones are judged
LONG_BATCH_S, FEW = 0.05, 16  # batches that would take longer have fewer entries, but not less than FEW

Function = Callable[[list[Item]], Sequence[Any]]


class BatchFigures(NamedTuple):
    """What metrics are told of a batch, in the event loop.

    Attributes:
        verb: which function computed it.
        size: entries.
        queue: entries that waited when it began, its own included.
        waits: seconds that each of its entries waited.
        seconds: that it was computed.
    """

    verb: str
    size: int
    queue: int
    waits: list[float]
    seconds: float


class _Entry:
    """One item that waits or is computed, and the future of its answer."""

    __slots__ = ("begun", "deadline", "future", "item", "key", "since", "verb")

    def __init__(self, verb: str, item: Item, deadline: float, future: asyncio.Future[Any], since: float) -> None:
        self.verb, self.item, self.deadline, self.future, self.since = verb, item, deadline, future, since
        self.key, self.begun = (verb, item.options), False


class Batcher:
    """Answers items, together where several wait. Made and used in one event loop.

    Args:
        functions: by verb: items of the same options -> their answers, in the same order; they run in the thread of this
            batcher, one at a time.
        settings: `max_batch`, `max_wait_ms`, `max_queue`, `max_delay_ms`.
        observe: is told of every batch.
        clock: seconds, as `time.monotonic`.
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        settings: ServerSettings,
        observe: Callable[[BatchFigures], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._functions, self._observe, self._clock = functions, observe, clock
        self._max_batch, self._max_queue = settings.max_batch, settings.max_queue
        self._max_wait, self._max_delay = settings.max_wait_ms / 1000, settings.max_delay_ms / 1000
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Entry] = []  # in the order of arrival; guarded by the condition, as is `_closing`
        self._condition = threading.Condition(threading.Lock())
        self._thread_idle, self._closing = False, False
        self._work = 0  # steps of all that waits
        # Of the latest batches: seconds a step, seconds. Written by the thread, which puts new numbers in their place.
        self._figures: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._pace, self._longest = 0.0, 0.0
        self._unanswered: set[_Entry] = set()  # of the loop alone, as is all that follows
        self._drained = asyncio.Event()
        self._drained.set()
        self._timer: asyncio.TimerHandle | None = None
        self._thread = threading.Thread(target=self._compute, name="seqwise-batches", daemon=True)
        self._thread.start()

    @property
    def queue(self) -> int:
        """Entries that wait to be computed."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether what comes now is refused: too many entries wait, or they will take too long."""
        if not self._waiting:
            return False
        return len(self._waiting) >= self._max_queue or self._work * self._pace > max(self._max_delay, self._longest)

    async def submit(self, verb: str, item: Item, deadline: float) -> Any:
        """Return the answer of an item.

        Who is cancelled meanwhile, because the client has gone, leaves the queue.

        Args:
            verb: name of a function.
            item: its input.
            deadline: time of the clock at which the answer is of no use any more.

        Raises:
            Refused: 429 the queue is full; 503 the server stops; 504 the deadline came first; and what the function raises.
        """
        self._check_room()
        return await self._answer(verb, item, deadline)

    async def submit_many(self, verb: str, items: Iterable[Item], deadline: float) -> list[Any]:
        """Return the answers of the items of one request, in their order.

        The queue holds no more than one batch of them at a time, so that other requests do not wait for all of them, and
        the request is refused only before it has begun.

        Raises:
            Refused: as `submit`.
        """
        self._check_room()
        todo: deque[tuple[int, Item]] = deque(enumerate(items))
        found: list[Any] = [None] * len(todo)

        async def answer_some() -> None:
            while todo:
                number, item = todo.popleft()
                found[number] = await self._answer(verb, item, deadline)

        tasks = [self._loop.create_task(answer_some()) for _ in range(min(self._max_batch, len(todo)))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # after an error, or if the client has gone
                task.cancel()
        return found

    async def close(self) -> None:
        """Refuse what comes from now on, finish what is there, and end the thread."""
        with self._condition:
            self._closing = True
            self._condition.notify()
        await self._drained.wait()
        await asyncio.to_thread(self._thread.join)
        if self._timer is not None:
            self._timer.cancel()

    def _check_room(self) -> None:
        if self._closing:
            raise Refused(503, "the server is shutting down")
        if self.full:
            raise crowded()

    async def _answer(self, verb: str, item: Item, deadline: float) -> Any:
        now = self._clock()
        if deadline <= now:
            raise _too_late()
        entry = _Entry(verb, item, deadline, self._loop.create_future(), now)
        self._unanswered.add(entry)
        self._drained.clear()
        self._watch(entry, now)
        with self._condition:
            self._waiting.append(entry)
            self._work += item.length
            if self._thread_idle or len(self._waiting) == self._max_batch:
                self._condition.notify()
        try:
            return await entry.future
        finally:
            self._forget(entry)

    def _forget(self, entry: _Entry) -> None:
        """Nobody waits for this entry any more: it has its answer, or is not needed."""
        self._unanswered.discard(entry)
        if not entry.begun:
            with self._condition:
                if not entry.begun:
                    self._waiting.remove(entry)
                    self._work -= entry.item.length
        if not self._unanswered:
            self._drained.set()

    def _watch(self, entry: _Entry, now: float) -> None:
        """See to it that somebody looks when the deadline comes: one timer for all, at the earliest of them."""
        at = self._loop.time() + entry.deadline - now
        if self._timer is None or at < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(at, self._expire)

    def _expire(self) -> None:
        now, self._timer = self._clock(), None
        for entry in self._unanswered:
            if entry.deadline <= now and not entry.future.done():
                entry.future.set_exception(_too_late())
        left = [entry for entry in self._unanswered if not entry.future.done()]
        if left:
            self._watch(min(left, key=lambda entry: entry.deadline), now)

    def _compute(self) -> None:
        """The thread: batch after batch until it is closed and nothing waits."""
        dense = False
        while (batch := self._next_batch(dense)) is not None:
            entries, queue = batch
            began = self._clock()
            answers = self._answers(entries)
            figures = BatchFigures(
                entries[0].verb, len(entries), queue, [began - entry.since for entry in entries], self._clock() - began
            )
            self._learn(entries, figures.seconds)
            dense = self._is_dense(entries)
            self._loop.call_soon_threadsafe(self._deliver, entries, answers, figures)

    def _next_batch(self, dense: bool) -> tuple[list[_Entry], int] | None:
        with self._condition:
            if dense and 0 < len(self._waiting) < self._max_batch and not self._closing:
                # Arrivals do not wake the thread one by one, a full batch does.
                self._condition.wait(max(0.0, self._waiting[0].since + self._max_wait - self._clock()))
            while not self._waiting:
                if self._closing:
                    return None
                self._thread_idle = True
                self._condition.wait()
                self._thread_idle = False
            queue = len(self._waiting)
            entries = choose_batch(self._waiting, self._most())
            for entry in entries:
                entry.begun = True
                self._work -= entry.item.length
            if len(entries) == queue:
                self._waiting.clear()
            else:
                self._waiting[:] = [entry for entry in self._waiting if not entry.begun]
            return entries, queue

    def _most(self) -> int:
        """Entries of the next batch, at the most."""
        of_one = self._pace * self._work / len(self._waiting)
        if of_one * self._max_batch <= LONG_BATCH_S:
            return self._max_batch
        return min(self._max_batch, max(FEW, int(LONG_BATCH_S / of_one)))

    def _learn(self, entries: list[_Entry], seconds: float) -> None:
        """Note how long a batch took. The median of some counts: one that was held up says nothing of the next."""
        self._figures.append((seconds / max(1, sum(entry.item.length for entry in entries)), seconds))
        if len(self._figures) > 1:
            self._pace = median(pace for pace, _ in self._figures)
            self._longest = max(seconds for _, seconds in self._figures)

    def _is_dense(self, entries: list[_Entry]) -> bool:
        return len(entries) >= DENSE and entries[-1].since - entries[-DENSE].since <= self._max_wait

    def _answers(self, entries: list[_Entry]) -> list[Any]:
        """An answer or an exception for every entry."""
        items = [entry.item for entry in entries]
        function = self._functions[entries[0].verb]
        try:
            answers = list(function(items))
            if len(answers) != len(items):
                raise RuntimeError(f"{len(items)} items have got {len(answers)} answers")
            return answers
        except Exception as error:
            if len(items) == 1:
                return [error]
            return [answer for entry in entries for answer in self._answers([entry])]

    def _deliver(self, entries: list[_Entry], answers: list[Any], figures: BatchFigures) -> None:
        for entry, answer in zip(entries, answers, strict=True):
            if entry.future.done():  # too late, or the client has gone
                continue
            if isinstance(answer, Exception):
                entry.future.set_exception(answer)
            else:
                entry.future.set_result(answer)
        if self._observe is not None:
            self._observe(figures)


def choose_batch(waiting: Sequence[Any], most: int) -> list[Any]:
    """Return the entries that are computed next: the oldest, and those that suit it.

    Args:
        waiting: entries with `key` and `item.length`, the oldest first.
        most: entries of a batch.

    Returns:
        Entries of the key of the oldest whose lengths are near each other, in the order of arrival. Of all ranges of lengths
        that hold the oldest it is one that holds the most of them.
    """
    key = waiting[0].key
    suiting = [entry for entry in waiting if entry.key == key]
    lengths = [entry.item.length for entry in suiting]
    if max(lengths) > _longest_beside(min(lengths)):
        low, high = _fullest_range(lengths)
        suiting = [entry for entry, length in zip(suiting, lengths, strict=True) if low <= length <= high]
    return suiting[:most]


def _longest_beside(length: int) -> float:
    return SPREAD * length + SLACK


def _fullest_range(lengths: list[int]) -> tuple[int, int]:
    """The shortest and longest length of the range around the first length that holds the most of them."""
    first, ordered = lengths[0], sorted(lengths)
    best, end = (0, first, first), 0
    for start, low in enumerate(ordered):
        if low > first:
            break
        longest = _longest_beside(low)
        while end < len(ordered) and ordered[end] <= longest:
            end += 1
        if longest >= first and end - start > best[0]:
            best = end - start, low, ordered[end - 1]
    return best[1:]


def crowded() -> Refused:
    """What is said when a queue is full."""
    return Refused(429, "too many requests wait already", retry_after=RETRY_AFTER_S)


def _too_late() -> Refused:
    return Refused(504, "there was no answer in time")
