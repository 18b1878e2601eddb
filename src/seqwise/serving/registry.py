"""The models that a server holds, by name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from seqwise.serving.batching import Batcher
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

    Attributes:
        served: the model.
        requests: of each verb, what a request has: with one input, and with several.
    """

    def __init__(self, served: Served, settings: ServerSettings, beside: ThreadPoolExecutor) -> None:
        self.served, self._beside = served, beside
        batched = {name: verb.answer for name, verb in served.verbs.items() if verb.batched and not verb.streams}
        self.batcher = Batcher(batched, settings)
        self.requests = {
            name: (verb.request(f"{name}-one"), verb.batch_request(f"{name}-batch", settings.max_inputs))
            for name, verb in served.verbs.items()
        }

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
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._beside, verb.answer, item)

    async def close(self) -> None:
        """Finish what was begun."""
        await self.batcher.close()


class Models(Mapping[str, Running]):
    """The models that a server holds.

    Args:
        folders: by the name under which clients know the model.
        settings: of the server.
    """

    def __init__(self, folders: Mapping[str, Path], settings: ServerSettings) -> None:
        self.folders, self.settings = dict(folders), settings
        self.beside = ThreadPoolExecutor(settings.max_streams, "seqwise-beside")
        self._running: dict[str, Running] = {}

    def load(self) -> None:
        """Read every folder.

        Raises:
            ModelFolderError: one is none, or is not served.
        """
        for name, path in self.folders.items():
            self._running[name] = Running(open_served(name, path, self.settings), self.settings, self.beside)
            log.info("serving %s", name)

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

    async def close(self) -> None:
        """Finish what was begun."""
        for running in self._running.values():
            await running.close()
        self.beside.shutdown(wait=False, cancel_futures=True)

    def __getitem__(self, name: str) -> Running:
        return self._running[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._running)

    def __len__(self) -> int:
        return len(self._running)
