"""OpenTelemetry: one trace from the command through the approval to the act, across replicas.

Off unless an endpoint is set; while off, no SDK is imported and no query is made for it. A span has only the
attributes in `ALLOWED`, never typed text, and only the class of an error.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

logger = logging.getLogger(__name__)

ALLOWED = frozenset({"surface", "run", "change", "step"})  # values from small closed sets: our words and numbers
VERSION = "00"  # of W3C traceparent

_provider: Any = None


def start(endpoint: str | None, *, environment: str | None) -> None:
    """Start sending spans to an OTLP collector (`http://host:4318`). Does nothing for None or at a second call."""
    global _provider
    if endpoint is None or _provider is not None:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("no traces are sent: install the extra, pip install dragonfly-chatops[otel]")
        return
    named = {"service.name": "dragonfly-bot", "deployment.environment.name": environment or "unknown"}
    _provider = TracerProvider(resource=Resource.create(named))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    _provider.add_span_processor(BatchSpanProcessor(exporter))


def stop() -> None:
    """Send the remaining spans and stop. Blocks until the collector has them, 10 s at most."""
    global _provider
    if _provider is not None:
        _provider.shutdown()
        _provider = None


def is_on() -> bool:
    """True if spans are recorded; only then must a run's trace context be stored and read."""
    return _provider is not None


@contextlib.contextmanager
def span(name: str, *, parent: str | None = None, **attributes: str | int) -> Iterator[None]:
    """Record the block as one span. `parent`: traceparent of another process; None: the current span."""
    if _provider is None:
        yield
        return
    from opentelemetry import trace

    given = {f"dragonfly.{key}": value for key, value in attributes.items() if key in ALLOWED}
    tracer = _provider.get_tracer("dragonfly")
    context = None if parent is None else _remote(parent)
    # An error's text may hold a row's values, so neither it nor its traceback is recorded.
    with tracer.start_as_current_span(
        name, context=context, attributes=given, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except Exception as error:
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise


def traceparent() -> str | None:
    """The current span as a W3C traceparent, for another process; None without a span."""
    if _provider is None:
        return None
    from opentelemetry import trace

    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return None
    return f"{VERSION}-{current.trace_id:032x}-{current.span_id:016x}-{int(current.trace_flags):02x}"


def _remote(parent: str) -> Any:
    from opentelemetry import trace

    _, trace_id, span_id, flags = parent.split("-")
    context = trace.SpanContext(int(trace_id, 16), int(span_id, 16), True, trace.TraceFlags(int(flags, 16)))
    return trace.set_span_in_context(trace.NonRecordingSpan(context))
