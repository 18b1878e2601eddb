"""Models that are replaced while they are served, when their folders change.

A folder is read again once its files have stayed the same for a moment. The new model is read beside the old one and has to
answer its own example before it takes over; a damaged one changes nothing but what the log, the metrics and GET /models say,
and is tried again when the folder changes again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

from seqwise.errors import ModelFolderError, SeqwiseError
from seqwise.prediction.folder import CONFIG
from seqwise.serving.problems import Refused
from seqwise.serving.registry import Models, Running

log = logging.getLogger("seqwise.serving")

LOOK_S = 1.0
TRIED = ("predict", "score")

Fingerprint = tuple[tuple[str, int, int], ...]


class Watcher:
    """Looks after the folders of models. Made before they are read, so that no change from then on is missed.

    Args:
        models: that are served.
        every_s: seconds between two looks.
    """

    def __init__(self, models: Models, every_s: float = LOOK_S) -> None:
        self._models, self._every_s = models, every_s
        self._read_from = {name: fingerprint(path) for name, path in models.folders.items()}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look, in the event loop that runs."""
        self._tasks = [asyncio.create_task(self._watch(name)) for name in self._read_from]

    def stop(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()

    async def _watch(self, name: str) -> None:
        path = self._models.folders[name]
        tried = seen = self._read_from[name]
        while True:
            await asyncio.sleep(self._every_s)
            now = await asyncio.to_thread(fingerprint, path)
            settled, seen = now == seen, now
            if settled and now != tried:
                tried = now
                if await self._replace(name):
                    # Whoever has found the old model before is answered by then, or has been refused.
                    await asyncio.sleep(self._models.settings.timeout_s)
                    await self._models.retire()

    async def _replace(self, name: str) -> bool:
        """Read a model again and let it take over; returns whether it could."""
        path = self._models.folders[name]
        try:
            new = await asyncio.to_thread(self._read, name)
        except Exception as error:
            reason = _reason(error, name, path)
            self._models.refusals[name] = reason
            self._models.observation.reloaded(name, good=False)
            log.error("the folder of %s has changed and cannot be used, the model from before stays: %s", name, reason)
            return False
        self._models.replace(name, new)
        self._models.observation.reloaded(name, good=True)
        log.info("%s was replaced by what its folder holds now", name)
        return True

    def _read(self, name: str) -> Running:
        old, new = self._models[name].served, self._models.read(name)
        if new.served.task != old.task:
            raise ModelFolderError(f"its task was {old.task} and is {new.served.task}: this needs a new start")
        try_example(new)
        return new


def try_example(running: Running) -> None:
    """Let a model answer its own example; what it raises is why it is not fit to serve."""
    served = running.served
    for name in TRIED:
        if name in served.verbs and served.verbs[name].batched:
            verb = served.verbs[name]
            asked = running.requests[name][0].model_validate(served.example)
            verb.answer([verb.read(asked, asked)])
            return


def fingerprint(path: Path) -> Fingerprint:
    """Name, size and time of change of the files that a model is read from; what is missing is left out.

    config.json lists them. Others, such as the report, may change as they like.
    """
    if path.is_dir():
        try:
            files = [CONFIG, *json.loads((path / CONFIG).read_bytes())["files"]]
        except (OSError, ValueError, KeyError, TypeError):
            files = [CONFIG]
        places = [path / str(name) for name in files if Path(str(name)).name == str(name)]
    else:
        places = [path]
    found = []
    for place in places:
        try:
            status = place.stat()
        except OSError:
            continue
        found.append((place.name, status.st_size, status.st_mtime_ns))
    return tuple(found)


def _reason(error: Exception, name: str, path: Path) -> str:
    """Why a folder cannot be used, without where it is."""
    if isinstance(error, Refused):
        return error.detail
    if not isinstance(error, SeqwiseError):
        return f"it does not answer its own example: {type(error).__name__}"
    return str(error).replace(str(path.absolute()), name).replace(str(path), name)
