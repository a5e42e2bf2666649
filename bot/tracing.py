"""OpenTelemetry: one trace from the command over the approval to the act, across replicas.

Off unless an endpoint is set: then no SDK and no exporter is imported, and no query is made for it. A span carries
only what `ALLOWED` names, never what people typed, and of an error its class alone.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

logger = logging.getLogger(__name__)

ALLOWED = frozenset({"surface", "run", "change", "step"})  # words of ours and numbers, from small closed sets
VERSION = "00"  # of the W3C's traceparent

_provider: Any = None


def start(endpoint: str | None, *, environment: str | None) -> None:
    """Send spans to an OTLP collector (`http://host:4318`), in the background. None, or a second call: nothing."""
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
    """Send what is left, and end. Blocks for as long as the collector takes, 10 s at most."""
    global _provider
    if _provider is not None:
        _provider.shutdown()
        _provider = None


def is_on() -> bool:
    """Whether spans are recorded: only then does a run's context have to be stored or read."""
    return _provider is not None


@contextlib.contextmanager
def span(name: str, *, parent: str | None = None, **attributes: str | int) -> Iterator[None]:
    """What happens inside, as one span. `parent`: a traceparent of another process; None: what is under way here."""
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
    """The span that is under way, as another process takes it up; None without one."""
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
