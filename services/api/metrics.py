"""Prometheus metrics of one API process, in a registry of its own (a second app in a test starts from zero)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest


class Metrics:
    """Labels come from small closed sets: the route's template, never the path that was asked for."""

    def __init__(self, *, git_sha: str, environment: str) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        info = Gauge("dragonfly_api_info", "What runs", ["git_sha", "environment"], registry=self._registry)
        info.labels(git_sha, environment).set(1)
        self._requests = Counter(
            "dragonfly_api_requests", "Answers given", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "dragonfly_api_request_seconds", "Time to the last byte", ["route"], registry=self._registry
        )
        self._rows = Counter("dragonfly_api_uploaded_rows", "CSV rows stored", registry=self._registry)

    def count_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_rows(self, rows: int) -> None:
        self._rows.inc(rows)

    def expose(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)
