"""What a server tells of itself: the metrics of GET /metrics, in the words of Prometheus.

Requests and batches are counted where they end, with what was measured anyway. With several processes each writes its
figures into a file of its own, and whoever is asked adds them up; those of a process that has died stay in the sums.
"""

from __future__ import annotations

import os
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from seqwise.serving.batching import BatchFigures
    from seqwise.serving.served import Item, Served

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Variable of the environment: the folder of the files of several processes."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MOST_CLASSES = 100  # of a model, that have a series of their own; the rest is counted together
OTHER = "(other)"
SAMPLED = 16  # of so many batches one is looked at for unknown tokens
MEDIA_TYPE = CONTENT_TYPE_LATEST

Answer = Callable[[list[Any]], Sequence[Any]]

disable_created_metrics()  # a second series of every one, of which nobody asks


class Observation:
    """The metrics of one process."""

    def __init__(self) -> None:
        self._several = FOLDER in os.environ
        self._registry = registry = CollectorRegistry()
        if not self._several:
            ProcessCollector(registry=registry)
        self._requests = Histogram(
            "seqwise_request_seconds",
            "Time from the first byte of a request's body to the end of its answer",
            ["path", "model", "status"],
            buckets=SECONDS,
            registry=registry,
        )
        self._queued = Histogram(
            "seqwise_queue_seconds",
            "Time that an input waited for its batch",
            ["model"],
            buckets=SECONDS,
            registry=registry,
        )
        self._sizes = Histogram(
            "seqwise_batch_size", "Inputs computed together", ["model", "verb"], buckets=SIZES, registry=registry
        )
        self._computed = Histogram(
            "seqwise_batch_seconds",
            "Time that a batch was computed",
            ["model", "verb"],
            buckets=SECONDS,
            registry=registry,
        )
        self._waiting = Gauge(
            "seqwise_queue_length",
            "Inputs that waited when the last batch began",
            ["model"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._flying = Gauge(
            "seqwise_requests_in_flight", "Requests under way", registry=registry, multiprocess_mode="livesum"
        )
        self._predictions = Counter(
            "seqwise_predictions", "Answers by the class that was given", ["model", "class"], registry=registry
        )
        self._answers = Counter("seqwise_answers", "Inputs that were answered", ["model", "verb"], registry=registry)
        self._abstained = Counter(
            "seqwise_abstained", "Answers in which the model gave no class", ["model"], registry=registry
        )
        self._tokens = Counter(
            "seqwise_sampled_tokens", "Tokens of a sample of the inputs", ["model", "known"], registry=registry
        )
        self._reloads = Counter(
            "seqwise_reloads", "Times that a changed folder was read", ["model", "result"], registry=registry
        )
        self._models = Gauge(
            "seqwise_model",
            "1 for the version of a model that is served",
            ["model", "task", "version"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._sessions = Gauge(
            "seqwise_sessions", "Sessions whose state is kept", registry=registry, multiprocess_mode="livesum"
        )
        self._known_requests: dict[tuple[str, str, int], Any] = {}
        self._known_batches: dict[tuple[str, str], tuple[Any, ...]] = {}
        self._classes: dict[str, set[str]] = {}

    def request(self, path: str, model: str, status: int, seconds: float) -> None:
        """A request has been answered.

        Args:
            path: as the API's description has it.
            model: that was asked, or "".
            status: of HTTP.
            seconds: that it took.
        """
        key = path, model, status
        if (series := self._known_requests.get(key)) is None:
            series = self._known_requests[key] = self._requests.labels(path, model, str(status))
        series.observe(seconds)

    def batch(self, model: str) -> Callable[[BatchFigures], None]:
        """What is told of a model's batches."""

        def observe(figures: BatchFigures) -> None:
            key = model, figures.verb
            if (series := self._known_batches.get(key)) is None:
                series = self._known_batches[key] = (
                    self._sizes.labels(*key),
                    self._computed.labels(*key),
                    self._answers.labels(*key),
                    self._queued.labels(model),
                    self._waiting.labels(model),
                )
            sizes, computed, answers, queued, waiting = series
            sizes.observe(figures.size)
            computed.observe(figures.seconds)
            answers.inc(figures.size)
            waiting.set(figures.queue - figures.size)
            for seconds in figures.waits:
                queued.observe(seconds)

        return observe

    def watched(self, served: Served, answer: Answer) -> Answer:
        """The function that answers a model's batches, so that its answers are counted."""
        model = served.name
        sample = 0

        def answer_and_count(items: list[Item]) -> Sequence[Any]:
            nonlocal sample
            answers = answer(items)
            tally = Tally(pair for one in answers for pair in served.observed(one))
            for (what, which), number in tally.items():
                self._count(model, what, which, number)
            if sample == 0:
                unknown, tokens = served.unknown(items)
                if tokens:
                    self._tokens.labels(model, "no").inc(unknown)
                    self._tokens.labels(model, "yes").inc(tokens - unknown)
            sample = (sample + 1) % SAMPLED
            return answers

        return answer_and_count

    def sessions(self, number: int) -> None:
        """So many sessions are kept."""
        self._sessions.set(number)

    def serves(self, model: str, task: str, version: str, serving: bool = True) -> None:
        """A version of a model is served, or is not any more."""
        self._models.labels(model, task, version[:12]).set(int(serving))

    def reloaded(self, model: str, good: bool) -> None:
        """A changed folder was read."""
        self._reloads.labels(model, "loaded" if good else "refused").inc()

    def text(self, in_flight: int) -> bytes:
        """All metrics, of all processes, in the text format of Prometheus.

        Args:
            in_flight: requests under way in this process, this one included.
        """
        self._flying.set(in_flight)
        if not self._several:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry)

    def _count(self, model: str, what: str, which: str, number: int) -> None:
        if what == "abstained":
            self._abstained.labels(model).inc(number)
        elif what == "class":
            classes = self._classes.setdefault(model, set())
            if which not in classes and len(classes) >= MOST_CLASSES:
                which = OTHER
            else:
                classes.add(which)
            self._predictions.labels(model, which).inc(number)


def forget_process(number: int) -> None:
    """A process has died: what it had under way is gone, what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(number)
