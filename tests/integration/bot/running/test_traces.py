"""A change is one trace, across the replicas that take the request, decide and execute it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from bot import tracing
from bot.views.run_buttons import CONFIRM
from services.clients.postgres.pool import Connection
from services.sandbox.slack import model
from tests.collector import Collector, collect
from tests.integration.bot.running.conftest import Slack, StartWhole
from tests.integration.bot.running.test_runs_in_slack import click, until
from tests.serving import no_proxy as no_proxy


@pytest.fixture
def collector() -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.sdk")
    with collect() as collector:
        yield collector
        tracing.stop()


async def test_a_change_is_one_trace_across_two_replicas(
    start_whole: StartWhole, slack: Slack, collector: Collector
) -> None:
    first = await start_whole(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    await slack.type("/dragonfly scale ingest 2")
    asked = await slack.wait_for(lambda one: "WAITING FOR CONFIRMATION" in one.text)
    await first.stop()

    second = await start_whole(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    await click(slack, asked, CONFIRM, model.OLIVIA)
    await until(slack, asked, "DONE")
    await second.stop()

    spans = await asyncio.to_thread(lambda: collector.spans)
    filed = next(span for span in spans if span.name == "command")
    whole = [span for span in spans if span.trace_id == filed.trace_id]
    assert {span.name for span in whole} == {"command", "decision", "run", "step"}
    assert {span.parent_span_id for span in whole if span.name in {"decision", "run"}} == {filed.span_id}
    keys = {one.key for span in spans for one in span.attributes}
    assert keys <= {f"dragonfly.{name}" for name in tracing.ALLOWED}


async def test_no_context_is_stored_while_traces_are_off(
    start_whole: StartWhole, slack: Slack, as_owner: Connection
) -> None:
    await start_whole()
    await slack.type("/dragonfly scale ingest 2")
    await slack.wait_for(lambda one: "WAITING FOR CONFIRMATION" in one.text)

    rows = await (await as_owner.execute("SELECT traceparent FROM chatops.runs")).fetchall()

    assert rows == [(None,)]
