"""A server with a model of every task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from live_server import Here, serving
from served_models import build


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of a model of every task, by name."""
    return build(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def everything(folders: dict[str, Path]) -> Iterator[Here]:
    """A server of all of them."""
    with serving(folders, max_length=500) as server:
        yield server


@pytest.fixture(scope="session")
def client(everything: Here) -> Iterator[httpx.Client]:
    """A client of this server."""
    with httpx.Client(base_url=everything.url, timeout=60) as connected:
        yield connected
