"""Traces cost nothing while they are off, and carry only allowed attributes while they are on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot import tracing
from tests.collector import Collector, collect

PARENT = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.sdk")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with collect() as collector:
        tracing.start(collector.url, environment="dev")
        yield collector
        tracing.stop()


def test_a_span_of_another_process_is_taken_up(collector: Collector) -> None:
    with tracing.span("decision", parent=PARENT, run=7):
        context = tracing.traceparent()
    tracing.stop()

    (span,) = collector.spans
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == ("a" * 32, "b" * 16)
    assert context == f"00-{'a' * 32}-{span.span_id.hex()}-01"


def test_a_span_carries_what_is_allowed_and_of_an_error_its_class(collector: Collector) -> None:
    with pytest.raises(KeyError), tracing.span("step", run=7, step="Restart", reason="canary"):
        raise KeyError("canary")
    tracing.stop()

    (span,) = collector.spans
    assert {one.key for one in span.attributes} == {"dragonfly.run", "dragonfly.step"}
    assert (span.status.message, len(span.events)) == ("KeyError", 0)
    assert b"canary" not in b"".join(collector.bodies)
