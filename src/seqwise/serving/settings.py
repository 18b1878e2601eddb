"""What bounds a server, and where it listens: the options of `seqwise serve`, said once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RUN, WORKER = "SEQWISE_SERVE_RUN", "SEQWISE_WORKER"
"""Variables of the environment of a server's processes: the folder of the run, and the number of the process."""


class ServerSettings(BaseModel):
    """Options of `seqwise serve`, which makes one of each field; they bound every part of a server.

    The descriptions are the help of the command line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 is every one.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port; 0 takes a free one.")
    workers: int = Field(default=1, ge=1, le=256, description="Processes, each with the models in its memory.")
    device: str = Field(default="auto", description="Where to compute: auto, cpu, cuda or cuda:N.")
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="Threads of one process's models on the CPU; else all share the cores."
    )
    max_batch: int = Field(default=64, ge=1, le=65536, description="Requests computed together, at the most.")
    max_wait_ms: float = Field(
        default=2.0, ge=0, le=1000, allow_inf_nan=False, description="Wait for more of them where they come densely."
    )
    max_queue: int = Field(default=128, ge=1, description="Requests of a model that wait; more get 429.")
    max_delay_ms: float = Field(
        default=100.0,
        gt=0,
        allow_inf_nan=False,
        description="Expected wait, or a batch's time if longer; more get 429.",
    )
    max_length: int = Field(default=10_000, ge=1, description="Characters of a text, or steps of frames.")
    on_long: Literal["refuse", "truncate"] = Field(
        default="refuse", description="Longer ones: refuse (413), or truncate: the beginning is read."
    )
    max_body: int = Field(default=8 * 2**20, ge=1, description="Bytes of a request; larger ones get 413.")
    max_inputs: int = Field(default=1024, ge=1, description="Inputs of one batch_predict request.")
    max_connections: int = Field(default=4096, ge=1, description="Open connections of a process; more get 503.")
    timeout_s: float = Field(
        default=30.0, gt=0, allow_inf_nan=False, description="Seconds until a request without an answer gets 504."
    )
    read_timeout_s: float = Field(
        default=30.0, gt=0, allow_inf_nan=False, description="Seconds in which a request must have come; else 408."
    )
    keep_alive_s: int = Field(default=15, ge=1, description="Seconds that a connection stays open without a request.")
    grace_s: float = Field(
        default=30.0, ge=0, allow_inf_nan=False, description="Seconds to finish what was begun when told to stop."
    )
    max_streams: int = Field(default=16, ge=1, le=1024, description="Generations and explanations at a time.")
    max_sessions: int = Field(default=1000, ge=1, description="Sessions of a process; more get 429.")
    session_idle_s: float = Field(
        default=600.0, gt=0, allow_inf_nan=False, description="Seconds until an unused session is forgotten."
    )
    api_key_file: Path | None = Field(default=None, description="Keys, one a line; a request shows one of them.")
    cors_origin: tuple[str, ...] = Field(
        default=(), description="Origin of other pages that may ask; may be repeated. None by default."
    )
    reload_on_change: bool = Field(default=False, description="Load a model folder again when it has changed.")
    quiet: bool = Field(default=False, description="Log no line for every request.")
    log_texts: bool = Field(default=False, description="Write the requests' bodies into the log.")
    no_page: bool = Field(default=False, description="Serve the API without the web page.")
