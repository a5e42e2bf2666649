"""History: queue, throughput, API latency, memory and heartbeats of a window as one picture and in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.types import Answer, Block
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.pictures import STATE_KEY, UNKNOWN, Series, bars, chart, labeled, marks, picture, strip
from bot.views.text import date_token, escape
from playbooks.model import Status
from services.domain.history import DATABASE, History, UsageStep, WorkerState, WorkerStep
from services.domain.jobs import PENDING_COUNTED_TO, pending_words
from services.domain.services import Service
from services.domain.systems import System
from services.domain.text import age, counted

MOST_STRIPS = 8  # workers that are drawn
_WINDOWS = (("6 hours", "6h"), ("24 hours", "24h"), ("7 days", "7d"), ("30 days", "30d"))
_STATE_WORDS = {
    WorkerState.ENDED: "stopped",
    WorkerState.ALIVE: "alive",
    WorkerState.WARNING: "warning",
    WorkerState.STALE: "stale",
}


def history_answer(history: History, *, environment: str | None, system: System, service: Service | None) -> Answer:
    """The answer of `history`. `service`: show only this one; None: all."""
    first = (
        f"📈 *History* · {escape(environment or 'unknown environment')} · {_scope(service)} · last {_window(history)}"
    )
    usage = usage_series(history, system, service)
    shown = usage if service else [*work_series(history), *usage, *database_series(history)]
    shown = [one for one in shown if one.known or service is None]
    workers = _workers(history, system, service)
    drawn = workers[:MOST_STRIPS]
    words = [
        *(_words(one, history.step) for one in shown),
        _deploy_words(history),
        *(_worker_words(one, system) for one in drawn),
        *_others(workers[len(drawn) :]),
    ]
    rows = [one.row for one in shown if one.known]
    rows += [labeled(_worker_label(one, system), strip(history.laid_out(one, _state))) for one in drawn]
    charts = _charts(history) if service is None else []
    blocks = [section(first), *_drawn(history, rows), context("\n".join(words)), *charts]
    blocks += actions([command_button(label, f"history {span}{_suffix(service)}") for label, span in _WINDOWS])
    blocks.append(context(*_notes(history, rows, bool(workers))))
    text = "\n".join([first, *words])
    is_known = bool(workers) or any(one.known for one in shown)
    return Answer(*fit_message(text, blocks), _data(history, shown, workers), Status.OK if is_known else Status.UNKNOWN)


HOUR_CELLS, HOUR_STEP = 24, timedelta(minutes=5)  # 1 h before and 1 h after
HOUR_ROWS = 2  # must fit a phone together with the message
_AXIS = labeled("5 min each", f"{'-1 h':<12}{'▲':<8}+1 h")
FEWEST_KNOWN = 3  # fewer known values make no useful picture


def hour_blocks(history: History, system: System, services: Collection[Service], now: datetime) -> list[Block]:
    """The hour before and after a moment, in two rows and in words. Empty if too little is known.

    `services`: their memory is shown, after the API's latency if it is among them, else the queue. Cells after `now`
    are left empty.
    """
    queue, completed, _, api = work_series(history)
    memory = [one for service in services for one in usage_series(history, system, service) if one.label != "cpu"]
    first, last = (api, queue) if any(service.is_api for service in services) else (queue, api)
    known = [one for one in (first, *memory[:1], completed, last) if len(one.known) >= FEWEST_KNOWN]
    shown = known[:HOUR_ROWS]
    if not shown:
        return []
    passed = min(max(-(-(now - history.since) // history.step), 0), history.cells)
    deploys = [history.cell_of(at) for at in history.deploys]
    rows = [labeled("deploys", marks(deploys, history.cells))] if deploys else []
    rows += [labeled(one.label, bars(one.values[:passed], top=one.top)) for one in shown]
    words = [f"{escape(one.name)} max {one.show(max(one.known))}" for one in shown]
    return [picture([_AXIS, *rows]), context(f"the hour around it · {' · '.join(words)}")]


def work_series(history: History) -> list[Series]:
    """Series of queue, completed jobs, failed jobs and API latency, in this order."""
    steps = history.steps
    return [
        Series("queue", "Queue", history.laid_out(steps, lambda one: one.pending), _jobs),
        Series(
            "jobs/min",
            "Jobs completed per minute",
            history.laid_out(steps, lambda one: one.completed),
            _rate,
            of="mean",
        ),
        Series(
            "failed/min", "Jobs failed per minute", history.laid_out(steps, lambda one: one.failed), _rate, of="mean"
        ),
        Series("api", "API latency", history.laid_out(steps, lambda one: one.api_ms), _milliseconds),
    ]


def database_series(history: History) -> list[Series]:
    """Series of the database's sessions and size, and of its machine as Supabase reports it; only recorded ones."""
    series = [
        Series("sessions", "Database sessions", history.laid_out(history.steps, lambda one: one.connections), _whole),
        Series("db size", "Database size", history.laid_out(history.steps, lambda one: one.database_gb), _gigabytes),
    ]
    steps = [one for one in history.usage if one.service == DATABASE]
    limit = _last_limit(steps)
    of = "" if limit is None else f" (of {_gigabytes(limit)})"
    memory = history.laid_out(steps, lambda one: one.memory_gb)
    series += [
        Series("mem db", f"Memory of the database{of}", memory, _gigabytes, limit),
        Series("load db", "Load of the database", history.laid_out(steps, lambda one: one.cpu), _load),
        Series("disk db", "Disk of the database", history.laid_out(steps, lambda one: one.disk_gb), _gigabytes),
    ]
    return [one for one in series if one.known]


def usage_series(history: History, system: System, only: Service | None = None) -> list[Series]:
    """Series of each service's memory, up to its limit if known; for a single service also CPU, disk, network."""
    return [
        series
        for service in system.services
        if only in (None, service)
        for series in _usage(history, service, with_cpu=only is not None)
    ]


def _usage(history: History, service: Service, *, with_cpu: bool) -> Iterator[Series]:
    steps = [one for one in history.usage if one.service == service.value]
    if not steps:
        return
    limit = _last_limit(steps)
    of = "" if limit is None else f" (limit {_gigabytes(limit)})"
    memory = history.laid_out(steps, lambda one: one.memory_gb)
    yield Series(f"mem {service.short}", f"Memory of {service.short}{of}", memory, _gigabytes, limit)
    if with_cpu:
        cpu = history.laid_out(steps, lambda one: one.cpu)
        yield Series("cpu", f"CPU of {service.short}", cpu, lambda value: f"{value:.2f} vCPU")
        disk = history.laid_out(steps, lambda one: one.disk_gb)
        yield Series("disk", f"Disk of {service.short}", disk, _gigabytes)
        for label, name, read in _NETWORK:
            yield Series(label, f"{name} by {service.short} per minute", history.laid_out(steps, read), _megabytes)


_NETWORK: tuple[tuple[str, str, Callable[[UsageStep], float | None]], ...] = (
    ("net in", "Received", lambda one: one.received_gb),
    ("net out", "Sent", lambda one: one.sent_gb),
)


def _last_limit(steps: Sequence[UsageStep]) -> float | None:
    return next((one.memory_limit_gb for one in reversed(steps) if one.memory_limit_gb is not None), None)


def _workers(history: History, system: System, only: Service | None) -> list[list[WorkerStep]]:
    """The steps of each worker in display order: half of the strips for the workers seen last, then the others, worst
    first. `only`: the workers of this service."""
    found: dict[str, list[WorkerStep]] = {}
    for step in history.workers:
        if only is None or system.service_of_worker(step.worker_type) == only:
            found.setdefault(step.worker_id, []).append(step)
    newest = sorted(found.values(), key=lambda steps: (steps[-1].begins_at, steps[-1].worker_type), reverse=True)
    return [*newest[: MOST_STRIPS // 2], *sorted(newest[MOST_STRIPS // 2 :], key=_problems, reverse=True)]


def _problems(steps: Sequence[WorkerStep]) -> tuple[int, int]:
    """Sort key: the worst state and its number of steps; (0, 0) without a problem."""
    worst = max(one.state for one in steps)
    return (worst, sum(one.state == worst for one in steps)) if worst >= WorkerState.WARNING else (0, 0)


def _others(workers: Sequence[Sequence[WorkerStep]]) -> list[str]:
    """One line for all workers without a strip."""
    if not workers:
        return []
    return [f"*{counted(len(workers), 'other worker')}:* {_shares([step for steps in workers for step in steps])}"]


def _drawn(history: History, rows: Sequence[str]) -> list[Block]:
    if not rows:
        return [section("_Nothing was recorded in this window yet._")]
    deploys = [history.cell_of(at) for at in history.deploys]
    first = [labeled("deploys", marks(deploys, history.cells))] if deploys else []
    return [picture([*first, *rows[: MOST_STRIPS + 8]])]


def _charts(history: History) -> list[Block]:
    """Charts of the queue and of the jobs; Slack allows two per message."""
    queue, completed, failed, _ = work_series(history)
    jobs = [replace(completed, name="completed"), replace(failed, name="failed")]
    return [
        *chart("Queue", [queue], since=history.since, step=history.step),
        *chart("Jobs per minute", jobs, since=history.since, step=history.step),
    ]


def _words(series: Series, step: timedelta) -> str:
    name, _, values = series.words(step).partition(": ")
    return f"*{escape(name)}:* {escape(values)}"


def _deploy_words(history: History) -> str:
    if not history.deploys:
        return f"*Deploys:* {'none' if history.steps or history.workers or history.usage else 'unknown'}"
    return f"*Deploys:* {len(history.deploys)}, the last {date_token(history.deploys[-1])}"


def _worker_words(steps: Sequence[WorkerStep], system: System) -> str:
    return f"*Worker {escape(_worker_label(steps, system))}:* {_shares(steps)}"


def _shares(steps: Sequence[WorkerStep]) -> str:
    counts = {state: sum(one.state == state for one in steps) for state in WorkerState}
    return ", ".join(f"{_STATE_WORDS[state]} {count / len(steps):.0%}" for state, count in counts.items() if count)


def _worker_label(steps: Sequence[WorkerStep], system: System) -> str:
    """The service's short name, cut to 6 characters, and the end of the worker's id."""
    service = system.service_of_worker(steps[-1].worker_type)
    return f"{(service.short if service else steps[-1].worker_type)[:6]} {steps[-1].worker_id[-4:]}"


def _state(step: WorkerStep) -> int:
    return step.state


def _notes(history: History, rows: Sequence[str], has_workers: bool) -> list[str]:
    if not rows:
        return [f"from {date_token(history.since)} to {date_token(history.until)}"]
    return [
        f"from {date_token(history.since)} to {date_token(history.until)} · one character is {age(history.step)}",
        f"bars begin at 0; `{UNKNOWN}` unknown" + (f", {STATE_KEY}" if has_workers else ""),
    ]


def _scope(service: Service | None) -> str:
    return "all services" if service is None else service.short


def _suffix(service: Service | None) -> str:
    return "" if service is None else f" {service.short}"


def _window(history: History) -> str:
    return age(history.until - history.since)


def _jobs(value: float) -> str:
    return pending_words(int(value)) if value > PENDING_COUNTED_TO else counted(int(value), "job")


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _rate(value: float) -> str:
    return f"{value:.1f}"


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms"


def _gigabytes(value: float) -> str:
    return f"{value:.2f} GB"


def _load(value: float) -> str:
    return f"{value:.2f}"


def _megabytes(value: float) -> str:
    return f"{value * 1000:.1f} MB"


def _data(history: History, shown: Sequence[Series], workers: Sequence[Sequence[WorkerStep]]) -> dict[str, object]:
    moments: list[datetime] = [history.since + history.step * cell for cell in range(history.cells)]
    return {
        "since": history.since.isoformat(),
        "until": history.until.isoformat(),
        "step_s": history.step.total_seconds(),
        "begins_at": [moment.isoformat() for moment in moments],
        "series": {one.name: list(one.values) for one in shown},
        "workers": {one[-1].worker_id: list(history.laid_out(one, _state)) for one in workers},
        "deploys": [at.isoformat() for at in history.deploys],
    }
