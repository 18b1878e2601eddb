"""What bounds a server, and where it listens."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ServerSettings(BaseModel):
    """Options of `seqwise serve`; every one of them bounds something, so that a server has no unbounded part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", description="address to listen on; 0.0.0.0 is every one of the machine")
    port: int = Field(default=8000, ge=0, le=65535, description="port; 0 takes a free one")
    workers: int = Field(default=1, ge=1, le=256, description="processes, each with the models in its memory")
    device: str = Field(default="auto", description="where the models run: auto, cpu, cuda or cuda:N")
    threads: int | None = Field(
        default=None, ge=1, description="of one process's models on the CPU; null: a share each"
    )
    max_batch: int = Field(default=64, ge=1, description="requests computed together, at the most")
    max_wait_ms: float = Field(
        default=2.0, ge=0, allow_inf_nan=False, description="wait for more requests, where they come densely"
    )
    max_queue: int = Field(default=1024, ge=1, description="requests of a model that wait; more are refused with 429")
    max_length: int = Field(default=10_000, ge=1, description="characters of a text, or steps of frames")
    on_long: Literal["refuse", "truncate"] = Field(
        default="refuse", description="what is done with longer ones: refused with 413, or the beginning is read"
    )
    max_body: int = Field(default=8 * 2**20, ge=1, description="bytes of a request's body; larger ones get 413")
    max_inputs: int = Field(default=1024, ge=1, description="inputs of one batch_predict request")
    timeout_s: float = Field(
        default=30.0, gt=0, allow_inf_nan=False, description="seconds until a request that has no answer gets 504"
    )
    grace_s: float = Field(
        default=30.0,
        ge=0,
        allow_inf_nan=False,
        description="seconds in which a server that stops finishes what it began",
    )
    max_streams: int = Field(default=16, ge=1, description="generations and explanations computed at a time")
    max_sessions: int = Field(default=1000, ge=1, description="streams whose state is kept, of each process")
    session_idle_s: float = Field(
        default=600.0,
        gt=0,
        allow_inf_nan=False,
        description="seconds after which a session that nobody uses is forgotten",
    )
    api_key_file: Path | None = Field(
        default=None, description="file of keys, one a line, of which a request shows one"
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="pages of other origins that may ask; none by default"
    )
    reload_on_change: bool = Field(
        default=False, description="a model folder that changed is loaded in place of the old"
    )
    log_texts: bool = Field(default=False, description="write the inputs of requests into the log")
    page: bool = Field(default=True, description="whether there is the web page")
