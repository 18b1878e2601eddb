"""Sessions: sequences whose state the server keeps, so that every step costs what one step costs.

A session belongs to one process. Its steps are taken one after the other, in the order in which they came, in threads; those
of several sessions are taken beside each other. They are not put into batches: a step of a usual model takes microseconds,
less than it takes to wait for others.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from seqwise.errors import InputError
from seqwise.serving.problems import Refused
from seqwise.serving.registry import Models
from seqwise.serving.served import Served
from seqwise.serving.streams import Steps, steps_of

THREADS = 4
ID = re.compile(r"(0|[1-9][0-9]{0,2})-[A-Za-z0-9_-]{24}")
GONE = (
    "there is no such session: it was deleted, nobody used it for a while, or its process has ended; "
    'POST /sessions begins a new one, with "state" where an old one was'
)


class Session:
    """One sequence.

    Args:
        key: the id.
        steps: how the model reads.
        state: after the last step.

    Attributes:
        key: the id.
        steps: how the model reads.
        count: of the steps that were read.
        answer: after the last one.
        lock: of whoever takes steps.
        followers: tasks of the WebSockets that are open, which are cancelled at its end.
        ended: why it has ended, "deleted" or "idle"; "" as long as it lives.
        used: when it was last used, on the event loop's clock.
    """

    def __init__(self, key: str, steps: Steps, state: Any) -> None:
        self.key, self.steps, self._state = key, steps, state
        self.count, self.answer = steps.count(state), steps.first(state)
        self.lock = asyncio.Lock()
        self.followers: set[asyncio.Task[Any]] = set()
        self.ended, self.used = "", 0.0

    @property
    def served(self) -> Served:
        """The model that it began with, also when another has taken its name."""
        return self.steps.served

    def to_dict(self) -> dict[str, Any]:
        """What a client is told."""
        return {"session": self.key, "model": self.served.name, "steps": self.count, **self.answer}

    def take(self, inputs: list[Any], fields: list[str], most: int) -> tuple[int, list[dict[str, Any]]]:
        """Read on; either all inputs, or, where one is none, nothing. Runs in a thread.

        Args:
            inputs: steps.
            fields: of the request, where they stand.
            most: symbols or frames that these can be.

        Returns:
            How many symbols or frames have been read, and the answer after each input.

        Raises:
            Refused: one is no step of this model (422, names its field), the session has ended (404), or it has no end and
                would keep too much (413).
        """
        longest = self.served.settings.max_length
        if self.steps.grows and self.count + most > longest:
            raise Refused(413, f"what this model keeps grows with every step: a session of it has at most {longest:,}")
        predictor, state = self.steps.predictor, self._kept()
        before = predictor.export_state(state) if len(inputs) > 1 else b""  # a step writes to the state
        answers: list[dict[str, Any]] = []
        for x, field in zip(inputs, fields, strict=True):
            try:
                state, answer = self.steps.step(state, x)
            except InputError as error:
                if answers:
                    self._state = predictor.import_state(before)
                raise Refused(422, f"{field}: {error}", field) from None
            answers.append(answer)
        self._state, self.answer, self.count = state, answers[-1], self.steps.count(state)
        return self.count, answers

    def export(self) -> bytes:
        """The state as bytes. Runs in a thread."""
        return self.steps.predictor.export_state(self._kept())

    def _kept(self) -> Any:
        if (state := self._state) is None:  # it ended while this waited for a thread
            raise Refused(404, GONE)
        return state

    def free(self, why: str) -> None:
        """Forget the state, and end who follows."""
        self.ended, self._state = why, None
        for task in self.followers:
            task.cancel()


class Sessions:
    """The sessions of one process.

    Args:
        models: that are served.
        worker: number of this process.
    """

    def __init__(self, models: Models, worker: int = 0) -> None:
        self.models, self.settings, self.worker = models, models.settings, worker
        self._sessions: OrderedDict[str, Session] = OrderedDict()  # who was used longest ago comes first
        self._threads = ThreadPoolExecutor(THREADS, "seqwise-session")
        self._waiting, self._most_waiting = 0, self.settings.max_queue
        self._timer: asyncio.TimerHandle | None = None
        self._opening = 0

    def __len__(self) -> int:
        return len(self._sessions)

    async def open(self, name: str | None, content: bytes | None, deadline: float) -> Session:
        """Begin a session.

        Args:
            name: of the model.
            content: exported state to go on from; None begins a sequence.
            deadline: on the event loop's clock.

        Raises:
            Refused: no such model, it needs whole sequences, the state is not one of it (422), there are too many (429).
        """
        steps = steps_of(self.models.find(name).served)
        if len(self._sessions) + self._opening >= self.settings.max_sessions:
            raise Refused(
                429, f"there are {self.settings.max_sessions:,} sessions already", retry_after=self._next_end()
            )
        self._opening += 1  # nobody overtakes while the state is made
        try:
            key = f"{self.worker}-{secrets.token_urlsafe(18)}"
            session = await self._run(lambda: _made(key, steps, content), deadline)
        finally:
            self._opening -= 1
        self._sessions[session.key] = session
        self._use(session)
        self._tell()
        return session

    def find(self, key: str) -> Session:
        """The session of an id.

        Raises:
            Refused: there is none (404).
        """
        if (session := self._sessions.get(key)) is None:
            raise Refused(404, GONE)
        self._use(session)
        return session

    async def take(
        self, session: Session, inputs: list[Any], fields: list[str], deadline: float
    ) -> tuple[int, list[dict[str, Any]]]:
        """Read on, after whatever came before.

        Args:
            session: that is to read.
            inputs: steps as clients write them.
            fields: of the request, where they stand.
            deadline: on the event loop's clock. A step that has begun is taken, even if nobody waits for it any more.

        Returns:
            As `Session.take`.

        Raises:
            Refused: one is no step of this model (422), too much waits (429), time is over (504), the session has ended
                meanwhile (404), or it is too much at a time, or in a session (413).
        """
        steps = session.steps
        read = [steps.read(x, field) for x, field in zip(inputs, fields, strict=True)]
        most, longest = sum(map(steps.most, read)), self.settings.max_length
        if most > longest:
            raise Refused(
                413, f"these inputs are {most:,} steps; this server reads at most {longest:,} at a time", "inputs"
            )
        return await self._in_turn(session, lambda: session.take(read, fields, most), deadline)

    async def export(self, session: Session, deadline: float) -> bytes:
        """The state as bytes, after whatever came before.

        Raises:
            Refused: too much waits (429), time is over (504), the session has ended meanwhile (404).
        """
        return await self._in_turn(session, session.export, deadline)

    def end(self, session: Session, why: str) -> None:
        """Forget a session at once.

        Args:
            session: that ends.
            why: "deleted" or "idle".
        """
        if self._sessions.pop(session.key, None) is not None:
            session.free(why)
            self._tell()

    @contextlib.contextmanager
    def followed(self, session: Session) -> Iterator[None]:
        """The present task hears of the session's end: it is cancelled then."""
        task = asyncio.current_task()
        assert task is not None
        session.followers.add(task)
        try:
            yield
        finally:
            session.followers.discard(task)

    def close(self) -> None:
        """Forget all of them."""
        if self._timer is not None:
            self._timer.cancel()
        for session in list(self._sessions.values()):
            self.end(session, "deleted")
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_turn(self, session: Session, function: Callable[[], Any], deadline: float) -> Any:
        """Run a function in a thread when those before it, of the same session, have ended."""
        if self._waiting >= self._most_waiting:
            raise Refused(429, "too many steps wait already", retry_after=1)
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                await session.lock.acquire()
        except TimeoutError:
            raise Refused(504, "the steps before this one took too long") from None
        finally:
            self._waiting -= 1
        if session.ended:
            session.lock.release()
            raise Refused(404, GONE)
        self._use(session)
        return await self._run(function, deadline, session.lock.release)

    async def _run(self, function: Callable[[], Any], deadline: float, after: Callable[[], None] = lambda: None) -> Any:
        """Run a function in a thread; `after` when it has ended, however long we have waited for it."""
        loop = asyncio.get_running_loop()
        try:
            future: Future[Any] = self._threads.submit(function)
        except RuntimeError:  # the server stops
            after()
            raise Refused(503, "the server is shutting down", retry_after=1) from None

        def ended(_: Future[Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(after)

        future.add_done_callback(ended)
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise Refused(504, "there was no answer in time") from None

    def _use(self, session: Session) -> None:
        session.used = asyncio.get_running_loop().time()
        if session.key in self._sessions:
            self._sessions.move_to_end(session.key)
        if self._timer is None:
            self._wait()

    def _wait(self) -> None:
        """Look again when the first of them may have been idle for too long."""
        self._timer = None
        if self._sessions:
            first = next(iter(self._sessions.values()))
            self._timer = asyncio.get_running_loop().call_at(first.used + self.settings.session_idle_s, self._sweep)

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        for session in list(self._sessions.values()):
            if session.used + self.settings.session_idle_s > now:
                break
            if session.lock.locked():  # a step is under way
                self._use(session)
            else:
                self.end(session, "idle")
        self._wait()

    def _next_end(self) -> float:
        """Seconds until a place may become free."""
        if not self._sessions:
            return 1.0
        first = next(iter(self._sessions.values()))
        return max(1.0, first.used + self.settings.session_idle_s - asyncio.get_running_loop().time())

    def _tell(self) -> None:
        self.models.observation.sessions(len(self._sessions))


def _made(key: str, steps: Steps, content: bytes | None) -> Session:
    if content is None:
        return Session(key, steps, steps.start())
    steps.start()
    try:
        return Session(key, steps, steps.predictor.import_state(content))
    except InputError as error:
        raise Refused(422, str(error), "state") from None
