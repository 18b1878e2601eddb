"""The models that a server holds, by name."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from seqwise.serving.batching import Batcher
from seqwise.serving.beside import Beside
from seqwise.serving.observation import Observation
from seqwise.serving.problems import Refused
from seqwise.serving.served import Item, Served, Verb
from seqwise.serving.settings import ServerSettings
from seqwise.serving.tasks import open_served

log = logging.getLogger("seqwise.serving")


class Running:
    """A model with what computes its answers.

    Args:
        served: the model.
        settings: of the server.
        beside: the threads of what is not computed in batches.
        observation: the metrics.

    Attributes:
        served: the model.
        requests: of each verb, what a request has: with one input, and with several.
    """

    def __init__(self, served: Served, settings: ServerSettings, beside: Beside, observation: Observation) -> None:
        self.served, self.beside = served, beside
        self._settings, self._observation = settings, observation
        self.requests = {
            name: (verb.request(f"{name}-one"), verb.batch_request(f"{name}-batch", settings.max_inputs))
            for name, verb in served.verbs.items()
        }

    @cached_property
    def batcher(self) -> Batcher:
        """What computes in batches; made when it is first asked, in the event loop that it belongs to."""
        functions = {
            name: self._observation.watched(self.served, verb.answer)
            for name, verb in self.served.verbs.items()
            if verb.batched and not verb.streams
        }
        return Batcher(functions, self._settings, self._observation.batch(self.served.name))

    @property
    def full(self) -> bool:
        """Whether whatever would be computed in batches is refused now."""
        return "batcher" in self.__dict__ and self.batcher.full

    def verb(self, name: str) -> Verb:
        """Something that the model can be asked.

        Raises:
            Refused: it cannot.
        """
        if name not in self.served.verbs:
            known = ", ".join(self.served.verbs)
            raise Refused(422, f"the model {self.served.name!r} does not {name}; it can be asked to {known}", "model")
        return self.served.verbs[name]

    async def answer(self, name: str, item: Item, deadline: float) -> Any:
        """Compute one answer, together with those of other requests where that is quicker.

        Args:
            name: of the verb.
            item: that is asked about.
            deadline: on the event loop's clock.

        Raises:
            Refused: too much waits already (429), or time is over (504).
        """
        verb = self.verb(name)
        if verb.batched:
            return await self.batcher.submit(name, item, deadline)
        return await self.beside.run(verb.answer, item, deadline=deadline)

    async def answers(self, name: str, items: Sequence[Item], deadline: float) -> list[Any]:
        """Compute the answers of one request with several inputs.

        Raises:
            Refused: as `answer`.
        """
        verb = self.verb(name)
        if verb.batched:
            return await self.batcher.submit_many(name, items, deadline)
        return [await self.answer(name, item, deadline) for item in items]

    async def close(self) -> None:
        """Finish what was begun."""
        if "batcher" in self.__dict__:
            await self.batcher.close()


class Models(Mapping[str, Running]):
    """The models that a server holds.

    Args:
        folders: by the name under which clients know the model.
        settings: of the server.
        observation: the metrics.

    Attributes:
        generation: how often a model has been replaced.
        refusals: of models whose folder has changed and cannot be used: why.
    """

    def __init__(
        self, folders: Mapping[str, str | Path], settings: ServerSettings, observation: Observation | None = None
    ) -> None:
        self.folders = {name: Path(path) for name, path in folders.items()}
        self.settings = settings
        self.observation = observation or Observation()
        self.beside = Beside(settings)
        self.generation = 0
        self.refusals: dict[str, str] = {}
        self._running: dict[str, Running] = {}
        self._retired: list[Running] = []

    def load(self) -> None:
        """Read every folder.

        Raises:
            ModelFolderError: one is none, or is not served.
            DeviceError: there is no such device.
        """
        for name in self.folders:
            self._running[name] = running = self.read(name)
            self._tell(running, serving=True)
        leave_alone()

    def read(self, name: str) -> Running:
        """Read the folder of a name, as it is now.

        Raises:
            ModelFolderError: it is none, or is not served.
            DeviceError: there is no such device.
        """
        served = open_served(name, self.folders[name], self.settings)
        return Running(served, self.settings, self.beside, self.observation)

    def replace(self, name: str, running: Running) -> None:
        """Let another model answer from now on; the one before finishes what it has begun, and is closed by `retire`."""
        old, self._running[name] = self._running[name], running
        self._retired.append(old)
        leave_alone()
        self.generation += 1
        self.refusals.pop(name, None)
        self._tell(old, serving=False)
        self._tell(running, serving=True)

    async def retire(self) -> None:
        """Close the models that have been replaced."""
        while self._retired:
            await self._retired.pop().close()

    def find(self, name: str | None) -> Running:
        """The model of a name; where one is served, no name is needed.

        Raises:
            Refused: there is none of this name, or several are served and none is named.
        """
        if name is None and len(self._running) == 1:
            return next(iter(self._running.values()))
        if name is None:
            raise Refused(422, f"several models are served: name one of {', '.join(self._running)}", "model")
        if (found := self._running.get(name)) is None:
            raise Refused(404, f"there is no model of this name; there are {', '.join(self._running)}", "model")
        return found

    def describe(self, name: str) -> dict[str, Any]:
        """What GET /models tells of a model, and, where its changed folder could not be read, why."""
        told = self._running[name].served.describe()
        return {**told, "reload_error": self.refusals[name]} if name in self.refusals else told

    async def close(self) -> None:
        """Finish what was begun."""
        await self.retire()
        for running in self._running.values():
            await running.close()
        self.beside.close()

    def _tell(self, running: Running, serving: bool) -> None:
        served = running.served
        self.observation.serves(served.name, served.task, version_of(served), serving)

    def __getitem__(self, name: str) -> Running:
        return self._running[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._running)

    def __len__(self) -> int:
        return len(self._running)


def leave_alone() -> None:
    """Let the garbage collector never look again at what is there: vocabularies of a model cost it 70 ms each time."""
    gc.unfreeze()  # what has been replaced is collected now
    gc.collect()
    gc.freeze()
    gc.collect()  # counts what is left: by that it judges when it is time for the next full collection


def version_of(served: Served) -> str:
    """The sha256 of a model's configuration, which seals all of it; "" of what has none."""
    config = getattr(served.predictor, "config", None) or {}
    return str(config.get("sha256", ""))
