"""How far the training of word vectors is, in one file beside the vectors, so that it can go on after an interruption.

The file is a .safetensors file: the arrays of the trainer's state, and in the header the numbers of it, the settings and
what the corpus is. It is written whole or not at all, and deleted when training has ended.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Mapping
from glob import escape
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.corpus import EncodedCorpus
from seqwise.embeddings.formats import written
from seqwise.embeddings.settings import EmbeddingSettings
from seqwise.embeddings.tensor_format import map_arrays, write_arrays
from seqwise.errors import ConfigurationError, FileError

KIND, VERSION = "seqwise.embedding_checkpoint", "1"
SECONDS = 60.0
"""Between two checkpoints."""
_FREE_SETTINGS = {"threads"}  # may differ when training goes on


class Resumable(Protocol):
    """A trainer whose state can be taken and put back while it does not run."""

    def state(self) -> Mapping[str, NDArray | int]:
        """All that training changes."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over the state of another trainer, made with the same arguments."""
        ...


class Checkpoint:
    """A file that holds the state of a training.

    Args:
        path: of the file.
        seconds: that training goes on before the next one is written; more where writing takes long.

    Attributes:
        path: as given.
        seconds: until the next one.
    """

    def __init__(self, path: str | Path, seconds: float = SECONDS) -> None:
        self.path, self.seconds = Path(path), seconds

    def write(self, trainer: Resumable, settings: EmbeddingSettings, corpus: EncodedCorpus) -> bool:
        """Write the state of a trainer that does not run; False, and a warning, where that is not possible."""
        start = time.monotonic()
        state = trainer.state()
        arrays = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
        numbers = {name: int(value) for name, value in state.items() if not isinstance(value, np.ndarray)}
        metadata = {
            "format": KIND,
            "version": VERSION,
            "settings": json.dumps(_described(settings, corpus)),
            "corpus": corpus.fingerprint(),
            "numbers": json.dumps(numbers),
        }
        try:
            with written(self.path) as stream:
                write_arrays(stream, arrays, metadata)
        except FileError as error:
            warnings.warn(f"there is no new checkpoint: {error}; training goes on", stacklevel=2)
            return False
        finally:
            self.seconds = max(self.seconds, 9 * (time.monotonic() - start))  # a tenth of the time at most
        return True

    def restore(self, trainer: Resumable, settings: EmbeddingSettings, corpus: EncodedCorpus) -> bool:
        """Give a trainer the state in the file; False where there is none.

        Raises:
            ConfigurationError: it was made with other settings or from another corpus; names what differs.
            FileError: it is damaged, or no checkpoint.
        """
        if not self.path.exists():
            return False
        try:
            arrays, metadata = map_arrays(self.path)
        except OSError as error:
            raise FileError(f"{self.path} cannot be read: {error.strerror or error}") from None
        if (metadata.get("format"), metadata.get("version")) != (KIND, VERSION):
            raise FileError(f"{self.path} is no checkpoint of word vectors, or one of another version of Seqwise")
        try:
            made, numbers = json.loads(metadata["settings"]), json.loads(metadata["numbers"])
        except (KeyError, ValueError):
            raise FileError(f"{self.path} is damaged: start again without --resume") from None
        again = "resume with the same, or start again without --resume"
        now = _described(settings, corpus)
        for name in now | made:
            if made.get(name) != now.get(name):
                raise ConfigurationError(
                    f"{self.path} was made with {name} {_said(made.get(name))}, not {_said(now.get(name))}: {again}"
                )
        if metadata.get("corpus") != corpus.fingerprint():
            raise ConfigurationError(f"{self.path} was made from another corpus, or its files have changed: {again}")
        expected = trainer.state()
        state: dict[str, Any] = arrays | numbers
        for name, value in expected.items():
            found = state.get(name)
            if found is None or np.shape(found) != np.shape(value):
                raise FileError(f"{self.path} is damaged: its {name} do not fit; start again without --resume")
        trainer.restore(state)
        return True

    def delete(self) -> None:
        """Training has ended: delete the file, and what was being written when an earlier run was killed."""
        self.path.unlink(missing_ok=True)
        for path in self.path.parent.glob(f".{escape(self.path.name)}.*"):
            if path.suffix[1:].isdigit():
                path.unlink(missing_ok=True)


def checkpoint_path(vectors: str | Path) -> Path:
    """Where the checkpoint of a file of vectors is."""
    return Path(vectors).with_name(Path(vectors).name + ".checkpoint")


def _described(settings: EmbeddingSettings, corpus: EncodedCorpus) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude=_FREE_SETTINGS) | corpus.options


def _said(value: Any) -> str:
    return "none" if value is None or value == "" else str(value)
