"""What the server counts, for Prometheus. Names of models are labels; nothing that a caller sent ever is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_TURNED_AWAY = (429, 503, 504)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
_TOKENS = (16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Measures:
    """All figures of one server, in a registry of their own."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        registry: Any = self.registry
        by_model = ["model"]
        self.requests = Counter(
            "provetune_requests", "Requests answered, by status.", ["model", "status"], registry=registry
        )
        self.seconds = Histogram(
            "provetune_request_seconds",
            "From request to answer, of requests that were not turned away.",
            by_model,
            buckets=_SECONDS,
            registry=registry,
        )
        self.turned_away = Histogram(
            "provetune_turned_away_seconds",
            "From request to 429, 503 or 504.",
            by_model,
            buckets=_SECONDS,
            registry=registry,
        )
        self.queue = Gauge("provetune_queue_items", "Items that wait.", by_model, registry=registry)
        self.batch_rows = Histogram(
            "provetune_batch_items", "Items of a batch.", by_model, buckets=_ROWS, registry=registry
        )
        self.batch_tokens = Histogram(
            "provetune_batch_tokens", "Tokens of a batch.", by_model, buckets=_TOKENS, registry=registry
        )
        self.model_seconds = Histogram(
            "provetune_batch_seconds", "From batch to answers.", by_model, buckets=_SECONDS, registry=registry
        )
        self.rejected = Counter(
            "provetune_rejected",
            "Requests not answered for want of room or time.",
            ["model", "reason"],
            registry=registry,
        )
        self.cancelled = Counter(
            "provetune_cancelled_items", "Items that left the queue unanswered.", by_model, registry=registry
        )
        self.restarts = Counter(
            "provetune_worker_restarts", "Workers that died and were replaced.", by_model, registry=registry
        )
        self.shadow = Counter(
            "provetune_shadow_answers",
            "Answers of the shadow bundle, by whether they agree with what the caller was told.",
            ["model", "outcome"],
            registry=registry,
        )

    def lane(self, name: str) -> LaneMeasures:
        """The figures of one bundle."""
        return LaneMeasures(self, name)

    def text(self) -> bytes:
        """All figures in Prometheus' format."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)


class LaneMeasures:
    """The figures of one bundle; children of labels are looked up once."""

    def __init__(self, measures: Measures, name: str) -> None:
        self._measures, self._name = measures, name
        self._batch_rows = measures.batch_rows.labels(name)
        self._batch_tokens = measures.batch_tokens.labels(name)
        self._model_seconds = measures.model_seconds.labels(name)
        self._seconds = measures.seconds.labels(name)
        self._turned_away = measures.turned_away.labels(name)
        self._cancelled = measures.cancelled.labels(name)
        self._restarts = measures.restarts.labels(name)
        self._statuses: dict[int, Any] = {}

    def watch(self, waiting: Callable[[], int]) -> None:
        """The length of the queue is asked when figures are."""
        self._measures.queue.labels(self._name).set_function(waiting)

    def batch(self, rows: int, tokens: int) -> None:
        self._batch_rows.observe(rows)
        self._batch_tokens.observe(tokens)

    def model_seconds(self, seconds: float) -> None:
        self._model_seconds.observe(seconds)

    def answered(self, status: int, seconds: float) -> None:
        child = self._statuses.get(status)
        if child is None:
            child = self._statuses[status] = self._measures.requests.labels(self._name, str(status))
        child.inc()
        (self._turned_away if status in _TURNED_AWAY else self._seconds).observe(seconds)

    def rejected(self, reason: str) -> None:
        self._measures.rejected.labels(self._name, reason).inc()

    def cancelled(self, rows: int) -> None:
        self._cancelled.inc(rows)

    def restarted(self) -> None:
        self._restarts.inc()

    def shadow(self, outcome: str) -> None:
        self._measures.shadow.labels(self._name, outcome).inc()
