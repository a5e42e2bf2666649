"""Seven ordinary days cause no page: simulated time, the product's rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.alerts.rules import evaluate
from bot.alerts.snapshot import Snapshot
from playbooks.checks import oncall
from playbooks.checks.triage import Earlier
from services.domain.channels import Channel
from services.domain.deployments import Deployment, DeploymentStatus, Instance, ServiceState
from services.domain.errors import Unavailable
from services.domain.health import ApiHealth
from services.domain.jobs import BEAT_EVERY, Heartbeat
from services.domain.oncall import Level, OnCallPerson, Schedule
from services.domain.rotations import Rotation
from services.domain.services import Service, WorkerType
from services.domain.systems import RUNBOOK
from services.domain.thresholds import StaleLimits
from tests.unit.bot.alerts.builders import RULES
from tests.unit.bot.alerts.following import Following

START = datetime(2026, 3, 25, 0, 0, 30, tzinfo=UTC)  # summer time begins on the 29th in Europe
WEEK = timedelta(days=7)
STALE = timedelta(seconds=300)
EVERY = timedelta(seconds=60)
INGEST, ENFORCEMENT = WorkerType.INGEST, WorkerType.ENFORCEMENT
ROLLS_OUT_IN = timedelta(seconds=90)  # from the deploy until the new version serves
ASKED_EVERY = timedelta(seconds=20)  # the age of the last answers of Railway and the API
CLOCKS_CHANGE = START + timedelta(days=4), START + timedelta(days=4, hours=4)
BERLIN = ZoneInfo("Europe/Berlin")
ROTA = Schedule(  # hands over at 02:30, which the night of the clock change skips
    {"ann": OnCallPerson("ann", "U1"), "ben": OnCallPerson("ben", "U2")},
    {"primary": Rotation("primary", ("ann", "ben"), 1, date(2026, 3, 1), time(2, 30), BERLIN)},
    (Level(("primary",), frozenset(Channel), timedelta(minutes=5)),),
)

Spans = list[tuple[datetime, datetime]]


@dataclass
class Worker:
    """A worker process: it sends heartbeats from start to end; in an orderly stop its last row says `stopped`."""

    id: str
    kind: WorkerType
    started_at: datetime
    ended_at: datetime | None = None
    stopped_in_order: bool = False
    git_sha: str = ""

    def row(self, now: datetime, outages: Spans) -> Heartbeat:
        last = min(now, self.ended_at or now)
        beats = (last - self.started_at) // BEAT_EVERY
        beat_at = self.started_at + beats * BEAT_EVERY
        if self.stopped_in_order and self.ended_at and self.ended_at <= now:
            return Heartbeat(self.id, self.kind, "stopped", self.ended_at, self.started_at, self.git_sha)
        for begins, ends in outages:  # no heartbeat is written during a database outage
            if begins <= beat_at < ends + BEAT_EVERY and now < ends + BEAT_EVERY:
                beat_at = min(beat_at, begins)
        return Heartbeat(self.id, self.kind, "running", beat_at, self.started_at, self.git_sha)

    def seems_to_run(self, now: datetime) -> bool:
        """True if Railway shows it as running; Railway does not notice a process that hangs."""
        has_ended = self.stopped_in_order and self.ended_at is not None and self.ended_at <= now
        return self.started_at <= now and not has_ended


@dataclass
class Plant:
    """The simulated system: its workers, the wanted counts, the times of the deploys, and the outages of the database,
    the bot, the API and Railway."""

    workers: list[Worker] = field(default_factory=list)
    expected: dict[WorkerType, int] = field(default_factory=dict)
    deploys: list[datetime] = field(default_factory=lambda: [START - WEEK])
    outages: Spans = field(default_factory=list)
    unwatched: Spans = field(default_factory=list)
    api_away: Spans = field(default_factory=list)
    railway_away: Spans = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000)))

    def start(self, kind: WorkerType, at: datetime, count: int = 1) -> None:
        sha = _sha(len(self.deploys) - 1)
        self.workers += [Worker(f"{kind}-{next(self.numbers)}", kind, at, git_sha=sha) for _ in range(count)]

    def end(self, kind: WorkerType, at: datetime, *, count: int = 99, goodbye: bool = True) -> None:
        living = [one for one in self.workers if one.kind is kind and one.ended_at is None]
        for one in living[:count]:
            one.ended_at, one.stopped_in_order = at, goodbye

    def is_watched(self, now: datetime) -> bool:
        return not _is_within(now, [*self.outages, *self.unwatched])

    def evaluate(self, now: datetime, earlier: Earlier | None) -> Snapshot:
        rows = self.rows(now)
        night = CLOCKS_CHANGE[0] <= now < CLOCKS_CHANGE[1]
        return Snapshot(
            now,
            StaleLimits(STALE),
            "prod",
            rows,
            dict(self.expected),
            earlier=earlier,
            api=self.api(now - ASKED_EVERY),
            services=self.services(now),
            auto_deploy=dict.fromkeys(RUNBOOK.services, True),
            oncall=oncall.Facts(ROTA, (), now) if night else None,
            system=RUNBOOK,
        )

    def api(self, now: datetime) -> ApiHealth | Unavailable:
        if _is_within(now, self.api_away):
            return Unavailable("API", "no answer")
        is_lost = _is_within(now, self.outages)
        status, http_status = ("degraded", 503) if is_lost else ("ok", 200)
        return ApiHealth(http_status, status, "prod", _sha(self._serving(now)), not is_lost, now, 20.0)

    def services(self, now: datetime) -> dict[Service, ServiceState] | Unavailable:
        if _is_within(now, self.railway_away):
            return Unavailable("Railway", "no answer")
        return {service: self._service(service, now) for service in RUNBOOK.services}

    def _service(self, service: Service, now: datetime) -> ServiceState:
        wanted = self.expected[service.worker_type] if service.worker_type else 1
        own = [one for one in self.workers if one.kind is service.worker_type and one.seems_to_run(now)]
        running = min(len(own), wanted) if service.worker_type else 1
        is_stopped, newest = wanted == 0, len(self.deploys) - 1
        serving = self._deployment(self._serving(now), DeploymentStatus.SUCCESS, running, stopped=is_stopped)
        latest = serving
        if self._serving(now) != newest:
            latest = self._deployment(newest, DeploymentStatus.DEPLOYING, 0)
        configured = 1 if is_stopped else wanted
        return ServiceState(service, service.short, (serving,), latest, replicas_configured=configured)

    def _serving(self, now: datetime) -> int:
        return max(n for n, at in enumerate(self.deploys) if n == 0 or at + ROLLS_OUT_IN <= now)

    def _deployment(self, n: int, status: DeploymentStatus, running: int, *, stopped: bool = False) -> Deployment:
        instances = tuple(Instance(f"i{number}", "RUNNING") for number in range(running))
        return Deployment(f"d{n}", status, self.deploys[n], stopped=stopped, commit_sha=_sha(n), instances=instances)

    def rows(self, now: datetime) -> tuple[Heartbeat, ...]:
        rows = [one.row(now, self.outages) for one in self.workers if one.started_at <= now]
        return tuple(row for row in rows if now - row.last_heartbeat_at < timedelta(hours=24))


def _is_within(now: datetime, spans: Spans) -> bool:
    return any(begins <= now < ends for begins, ends in spans)


def _sha(number: int) -> str:
    """The commit of the deploy with this number."""
    return f"{number:x}" * 40


Event = Callable[[Plant, datetime], None]
Events = list[tuple[timedelta, Event]]


def deploy(plant: Plant, at: datetime) -> None:
    """Deploy: the new workers start 20 s before the old ones end."""
    plant.deploys.append(at)
    for kind, count in plant.expected.items():
        plant.end(kind, at + timedelta(seconds=20))
        plant.start(kind, at, count)


def replace_one(plant: Plant, at: datetime) -> None:
    """Kill an ingest worker; Railway starts another one 15 s later."""
    plant.end(INGEST, at, count=1, goodbye=False)
    plant.start(INGEST, at + timedelta(seconds=15))


def scale_up(plant: Plant, at: datetime) -> None:
    plant.expected[INGEST] = 4
    plant.start(INGEST, at + timedelta(seconds=45), 2)


def scale_down(plant: Plant, at: datetime) -> None:
    plant.expected[INGEST] = 2
    plant.end(INGEST, at, count=2)


def stop_all(plant: Plant, at: datetime) -> None:
    plant.expected = dict.fromkeys(plant.expected, 0)
    for kind in plant.expected:
        plant.end(kind, at)


def start_again(plant: Plant, at: datetime) -> None:
    plant.expected = {INGEST: 2, ENFORCEMENT: 1}
    for kind, count in plant.expected.items():
        plant.start(kind, at + timedelta(seconds=30), count)


def die(plant: Plant, at: datetime) -> None:
    plant.end(INGEST, at, goodbye=False)


def database_is_away(minutes: float) -> Event:
    return lambda plant, at: plant.outages.append((at, at + timedelta(minutes=minutes)))


def bot_is_away(minutes: float) -> Event:
    return lambda plant, at: plant.unwatched.append((at, at + timedelta(minutes=minutes)))


def api_is_away(seconds: float) -> Event:
    return lambda plant, at: plant.api_away.append((at, at + timedelta(seconds=seconds)))


def railway_is_away(minutes: float) -> Event:
    return lambda plant, at: plant.railway_away.append((at, at + timedelta(minutes=minutes)))


# One event of each kind, some of them at times that are no multiples of the interval.
LIFE: Events = [
    (timedelta(hours=10, seconds=7), deploy),
    (timedelta(days=1, hours=3, seconds=11), replace_one),
    (timedelta(days=1, hours=9), scale_up),
    (timedelta(days=1, hours=15), scale_down),
    (timedelta(days=2, hours=2), stop_all),
    (timedelta(days=2, hours=4), start_again),
    (timedelta(days=3, hours=1, seconds=3), database_is_away(0.7)),
    (timedelta(days=3, hours=13), database_is_away(6)),
    (timedelta(days=3, hours=18), database_is_away(25)),
    (timedelta(days=3, hours=20), api_is_away(50)),
    (timedelta(days=3, hours=21), railway_is_away(4)),
    (timedelta(days=4, hours=1), bot_is_away(1.5)),  # the night in which the clocks go forward
    (timedelta(days=4, hours=12), bot_is_away(120)),
    (timedelta(days=5, hours=7), bot_is_away(1.5)),
    (timedelta(days=5, hours=7, seconds=30), replace_one),
    (timedelta(days=6), deploy),
]


def live(events: Events, *, lasts: timedelta = WEEK) -> Following:
    plant = Plant(expected={INGEST: 2, ENFORCEMENT: 1})
    plant.start(INGEST, START - timedelta(hours=1), 2)
    plant.start(ENFORCEMENT, START - timedelta(hours=1))
    following, coming, earlier, now = Following(), sorted(events, key=lambda event: event[0]), None, START
    while now < START + lasts:
        while coming and START + coming[0][0] <= now:
            coming.pop(0)[1](plant, now)
        if plant.is_watched(now):
            seen = plant.evaluate(now, earlier)
            following.evaluate(now, evaluate(seen, RULES))
            earlier = Earlier(now, {row.worker_id: row.last_heartbeat_at for row in seen.heartbeats})
        else:
            earlier = None  # another process evaluates afterwards
        now += EVERY
    return following


def test_a_week_of_deploys_and_outages_wakes_no_one_up() -> None:
    following = live(LIFE)

    assert following.reported == []
    assert [one for one in following.alerts.values() if one.is_open] == []


HOUR = timedelta(hours=1)  # the hours before and after add nothing


@pytest.mark.parametrize("before", [[], [(HOUR, deploy)], [(HOUR, database_is_away(25))], [(HOUR, bot_is_away(120))]])
def test_a_death_in_such_a_life_is_one_page_in_time(before: Events) -> None:
    following = live([*before, (7 * HOUR, die)], lasts=9 * HOUR)

    reported = [one for one in following.reported if not one.words.startswith("Still firing: ")]
    assert [(one.is_page, one.words) for one in reported] == [(True, "ingest is down (0 of 2)")]
    assert timedelta() <= reported[0].at - (START + 7 * HOUR) <= STALE + 2 * EVERY


@pytest.mark.parametrize("away", [database_is_away(25), database_is_away(6), bot_is_away(25)])
def test_a_death_that_no_one_saw_is_reported_once_a_person_looks_again(away: Event) -> None:
    following = live([(HOUR, away), (HOUR + timedelta(minutes=5), die)], lasts=3 * HOUR)

    [reported] = following.pages()
    assert reported.at - (START + HOUR) <= timedelta(minutes=25) + STALE + 2 * EVERY
