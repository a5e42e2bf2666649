"""Looks for causes in findings: what does not answer, what was deployed, which process is gone; and folds the rest.

Pure. Each finder names a cause only on its own evidence, and says what to do about that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from playbooks.checks.database import ADOPT_AGAIN
from playbooks.last_deploys import CRASHES, RAN_WELL, deploy_name
from playbooks.log_lines import Topic
from playbooks.model import Finding, NextStep, Status
from playbooks.root_causes import Cause, Diagnosed, Kind, fold
from services.domain.deployments import DeploymentStatus
from services.domain.services import Service, same_sha, short_sha
from services.domain.systems import System
from services.domain.text import age, counted

BLAMED_FOR = timedelta(minutes=30)  # what breaks later than this after a deploy has rarely to do with it

SILENT_BEFORE = timedelta(minutes=1)  # a beat that is older than a deployment by more was not ended by it

RAN = timedelta(seconds=5)  # a process that still beats so long after its start did start

CONFIG = NextStep("Check the settings", "check-config")
HEALTH = NextStep("Look again", "health")
SUPABASE_STATUS = NextStep("Supabase's status", url="https://status.supabase.com")
RAILWAY_STATUS = NextStep("Railway's status", url="https://status.railway.com")


@dataclass(frozen=True)
class _Class:
    """Why a database does not take us: words of the reason, and what fits them. `title_since`: before "since 08:32"."""

    words: tuple[str, ...]
    title: str
    do: str
    step: NextStep
    title_since: str = ""
    status: Status = Status.FAIL


_UNREACHABLE = _Class(
    (),
    "The database does not answer",
    "Check Supabase's status and the database's logs.",
    SUPABASE_STATUS,
    "The database has not answered",
    Status.UNKNOWN,  # unless another source reports it too
)
_CLASSES = (
    _Class(
        ("not configured", "not connected"),
        "The bot has no access to the database",
        "Set SUPABASE_DB_URL of the bot.",
        CONFIG,
        status=Status.UNKNOWN,
    ),
    _Class(
        (
            "password",
            "no such database",
            "no such user",
            "does not allow",
            "malformed",
            "encrypted",
            "log in",
            "permit",
            "allow-list",
            "banned",
            "blocks new logins",
            "pooler needs",
            "a parameter",
        ),
        "The database refuses the bot's login",
        "Verify SUPABASE_DB_URL of the bot.",
        CONFIG,
    ),
    _Class(
        ("too many connections", "no free connection"),
        "The database has no free connection",
        "Scale the workers down, or raise the pooler's limit.",
        NextStep("Heartbeats", "heartbeats"),
    ),
    _Class(
        ("starting up", "shutting down", "recovering", "restarts after", "accepting connections"),
        "The database is restarting",
        "Wait a minute, then look again.",
        HEALTH,
    ),
)


@dataclass(frozen=True)
class _Found:
    """What the checks found. `database_since`: since when the bot has not reached the database, None if it does not
    know. `same_again`: deployments that changed nothing of what runs."""

    findings: Sequence[Finding]
    now: datetime
    database_since: datetime | None
    same_again: frozenset[str]
    system: System

    def one(self, check: str) -> Finding | None:
        return next((finding for finding in self.findings if finding.check == check), None)

    def wrong(self, prefix: str) -> list[Finding]:
        """Those that are certainly wrong."""
        statuses = (Status.FAIL, Status.WARN)
        return [one for one in self.findings if one.status in statuses and one.check.startswith(f"{prefix}.")]


def diagnose(
    findings: Sequence[Finding],
    now: datetime,
    *,
    database_since: datetime | None = None,
    same_again: frozenset[str] = frozenset(),
    working: Mapping[Service, int] = MappingProxyType({}),
    system: System,
) -> Diagnosed:
    """The causes among the findings, each with what follows from it; the most urgent cause first.

    `working`: the run of ours that acts on a service now.
    """
    found = _Found(findings, now, database_since, same_again, system)
    return fold(findings, [_excused(cause, working) for find in _FINDERS for cause in find(found)])


def _excused(cause: Cause, working: Mapping[Service, int]) -> Cause:
    """A process that is gone, an API that is silent, or a deployment that does not run yet, while a run stops or starts
    it: no reason to act besides."""
    run = working.get(cause.service) if cause.service else None
    if cause.service is None or run is None or cause.kind not in (Kind.WORKER, Kind.API, Kind.DEPLOY):
        return cause
    finding = replace(
        cause.finding,
        status=Status.WARN,
        title=f"Run {run} acts on {cause.service.short}: {cause.finding.title}",
        detail="Wait until the run ends.",
        next_step=NextStep(f"Run {run}", f"run {run}"),
    )
    return replace(cause, finding=finding)


def _find_database(found: _Found) -> Iterator[Cause]:
    """No process reaches it, or only the bot does not."""
    reachable, api = found.one("database.reachable"), found.one("api.health")
    if reachable is None or reachable.status is Status.OK:
        return
    sources = frozenset({reachable.check})
    if api is not None and api.evidence.get("db_connected") is True:
        title = "Only the bot can't reach the database"  # the time since when stands behind it
        do = f"The services may be fine: api reaches it. Verify SUPABASE_DB_URL of the bot. ({reachable.detail})"
        finding = replace(reachable, title=title, detail=do, next_step=CONFIG)
        yield Cause(Kind.NO_ACCESS, finding, sources, found.database_since)
        return
    kind = next((one for one in _CLASSES if any(word in reachable.detail for word in one.words)), _UNREACHABLE)
    lines = [one for one in found.wrong("logs") if one.evidence.get("topic") == Topic.CONNECTIVITY]
    is_certain = any(one.status is Status.FAIL for one in lines) or (
        api is not None and api.evidence.get("db_connected") is False
    )
    status = Status.FAIL if is_certain else kind.status
    since = found.database_since or _first(lines)
    title = kind.title_since if since and kind.title_since else kind.title
    detail = f"{kind.do} ({reachable.detail})"
    finding = replace(reachable, status=status, title=title, detail=detail, next_step=kind.step)
    yield Cause(Kind.DATABASE, finding, sources, since)


def _find_refused_writes(found: _Found) -> Iterator[Cause]:
    """It answers, and stores nothing: workers and API fail one after the other."""
    refused = found.one("database.writes")
    if refused is not None and refused.status is Status.FAIL:
        title = "The database accepts no writes"
        do = f"Free disk space or end its read-only mode in Supabase. {refused.detail[:1].upper()}{refused.detail[1:]}"
        yield Cause(Kind.NO_WRITES, replace(refused, title=title, detail=do), frozenset({refused.check}))


def _find_migrations(found: _Found) -> Iterator[Cause]:
    """Migrations that were not applied, and something that needs them."""
    status = found.one("database.migrations")
    pending = status.evidence.get("pending") if status else None
    if status is None or not isinstance(pending, list) or not pending:
        return
    needing = [*found.wrong("drift"), *_saying(found, "does not exist"), *found.wrong("database.schemas")]
    if needing:
        them = "it" if len(pending) == 1 else "them"
        title = f"{counted(len(pending), 'migration')} not applied, and the code needs {them}"
        finding = replace(status, status=Status.FAIL, title=title, detail="Apply the migrations.")
        yield Cause(Kind.MIGRATIONS, finding, frozenset({status.check}))


def _find_permissions(found: _Found) -> Iterator[Cause]:
    """A right that is missing, or a process with another role; the log alone shows it too."""
    lines = [one for one in _saying(found, "permission denied") if one.status is Status.FAIL]
    refused = [*found.wrong("drift.rights"), *found.wrong("roles"), *lines]
    if not refused:
        return
    first, *others = refused
    same = sum(one.check.startswith("drift.rights.") for one in others)
    more = f", and {counted(same, 'more object')}" if same else ""
    if ADOPT_AGAIN in first.detail:  # our migrations repair nothing in an existing system
        do = ""
    elif first.check.startswith("drift."):
        do = "Apply the migrations, or grant it again."
    else:
        do = "Verify the role in SUPABASE_DB_URL and dragonfly_app's grants."
    detail = f"{do} {first.detail}".strip()
    cause = replace(first, status=Status.FAIL, title=f"{first.title}{more}", detail=detail, service=None)
    yield Cause(Kind.PERMISSIONS, cause, frozenset({first.check}))


def _find_no_access(found: _Found) -> Iterator[Cause]:
    """The bot reaches the database, and what we operate does not."""
    reachable = found.one("database.reachable")
    if reachable is None or reachable.status is not Status.OK:
        return
    api = found.one("api.health")
    blind = [api] if api is not None and api.evidence.get("db_connected") is False else []
    blind += [one for one in found.wrong("workers") if one.evidence.get("database_ok") is False]
    if not blind:
        return
    names = list(dict.fromkeys(one.service.short for one in blind if one.service))
    verb = "does" if len(names) == 1 else "do"
    title = f"{' and '.join(names)} {verb} not reach the database, but the bot does"
    do = f"Verify SUPABASE_DB_URL of {names[0]} and the pooler's limits."
    step = NextStep(f"Variables of {names[0]}", f"env {names[0]}")
    service = blind[0].service if len(names) == 1 else None
    cause = replace(blind[0], status=Status.FAIL, title=title, detail=do, service=service, next_step=step)
    yield Cause(Kind.NO_ACCESS, cause, frozenset({blind[0].check}))


def _find_deploys(found: _Found) -> Iterator[Cause]:
    """A service that went bad within minutes of its newest deployment: the way back comes first."""
    for service in found.system.services:
        state, broken = found.one(f"deployment.{service.short}"), _broken(found, service)
        deployed_at = _deployed_at(found, state)
        if state is None or deployed_at is None or not broken or _fell_silent_before(found, service, deployed_at):
            continue
        if _was_killed(found, service, state, deployed_at) or _ran_well(found, service, state, deployed_at):
            continue  # what was deployed did run
        words = CRASHES if _crashed_at_start(found, service, state, deployed_at) else "does not work"
        title = f"{deploy_name(_sha(state), service)} {words}{_error(found, service)}"
        step = NextStep(f"Roll back {service.short}…", f"rollback {service.short}")
        finding = replace(
            broken[0], status=Status.FAIL, title=title, detail="Roll back.", service=service, next_step=step
        )
        yield Cause(Kind.DEPLOY, finding, frozenset({broken[0].check}), deployed_at)


def _deployed_at(found: _Found, state: Finding | None) -> datetime | None:
    """When the newest deployment was made, if that was a change of the last half hour which came to run or crash."""
    made = _moment(state.evidence.get("latest_at")) if state else None
    if state is None or made is None or found.now - made > BLAMED_FOR or state.evidence["latest"] in found.same_again:
        return None
    is_over = state.evidence.get("latest_status") in (DeploymentStatus.SUCCESS, DeploymentStatus.CRASHED)
    return made if is_over else None  # otherwise it is on its way, or it never ran


def _deployed_before(found: _Found, service: Service, bad_since: datetime | None) -> str:
    """A deploy that is no suspect, as a fact: " Deploy e9a70d3b was 12 min before and ran well."."""
    state = found.one(f"deployment.{service.short}")
    made = _deployed_at(found, state)
    if state is None or made is None or bad_since is None or bad_since <= made:
        return ""
    return f" Deploy {_sha(state)} was {age(bad_since - made)} before and ran well."


def _sha(state: Finding) -> str:
    sha = state.evidence.get("latest_sha")
    return short_sha(sha if isinstance(sha, str) else None)


def _find_workers(found: _Found) -> Iterator[Cause]:
    """Workers that are gone, hang, or ended themselves; none of it a deploy's doing."""
    for service in found.system.workers:
        beats, state = found.one(f"heartbeats.{service.short}"), found.one(f"deployment.{service.short}")
        if gave_up := _gave_up(found, service):
            do = "Read its log, fix the cause, then redeploy."
            title = f"{service.short} gave up after failing again and again{_error(found, service)}"
            step = NextStep(f"Logs of {service.short}", f"logs {service.short}")
            finding = replace(gave_up[0], title=title, detail=do, next_step=step)
            yield Cause(Kind.WORKER, finding, frozenset({gave_up[0].check}), _first(gave_up))
        elif beats is not None and beats.status is Status.FAIL and not _is_deploying(state):
            yield _lost_workers(found, service, beats, state)
        elif state is not None and state.status is Status.FAIL and state.evidence.get("crashed"):
            step = NextStep(f"Restart {service.short}", f"restart {service.short}")
            finding = replace(
                state, title=f"{service.short} crashed (Railway)", detail=f"Restart {service.short}.", next_step=step
            )
            yield Cause(Kind.WORKER, finding, frozenset({state.check}))


def _lost_workers(found: _Found, service: Service, beats: Finding, state: Finding | None) -> Cause:
    short, expected = service.short, beats.evidence.get("expected")
    beating = beats.evidence.get("beating")
    alive = len(beating) if isinstance(beating, list) else 0
    title = f"{alive} of {expected} {short} workers alive" if alive else f"{short} is down (0 of {expected})"
    # Nothing is left that a stop would interrupt; otherwise the others go on working.
    step = NextStep(f"Restart {short}", f"restart {short}" if alive else f"restart {short} --through-zero")
    since = None if alive else _moment(beats.evidence.get("last_beat_at"))  # the newest beat is of one that lives
    more = f" {beats.detail}" if alive else _deployed_before(found, service, since)
    detail = f"Restart {short}.{_process(state)}{more}"
    finding = replace(beats, title=title, detail=detail, next_step=step)
    return Cause(Kind.WORKER, finding, frozenset({beats.check}), since)


def _process(state: Finding | None) -> str:
    """What Railway reports of the processes."""
    if state is None or not isinstance(state.evidence.get("replicas_configured"), int):
        return ""
    running, wanted = state.evidence.get("running"), state.evidence.get("replicas_configured")
    return (
        f" Its process has died: Railway runs {running} of {wanted}."
        if _is_process_gone(state)
        else " Its process runs but sends no heartbeat."
    )


def _find_api(found: _Found) -> Iterator[Cause]:
    api = found.one("api.health")
    if api is None or api.status is Status.OK or api.evidence.get("db_connected") is not None:
        return  # an API that answers speaks for itself
    if _is_unset(api):
        return
    why = api.evidence.get("why", "")
    is_answer = api.evidence.get("http_status") is not None
    title = f"api answers HTTP {api.evidence.get('http_status')}" if is_answer else "api does not answer"
    step = NextStep("Restart api", "restart api")
    before = _deployed_before(found, found.system.api, _well_until(found))
    detail = f"Read its log; restart it if it does not come back. ({why}){before}"
    cause = replace(api, title=title, detail=detail, next_step=step)
    yield Cause(Kind.API, cause, frozenset({api.check}))


def _find_railway(found: _Found) -> Iterator[Cause]:
    silent = found.one("deployment")
    if silent is None or silent.status is not Status.UNKNOWN:
        return
    is_missing = _is_unset(silent)
    title = "The bot has no access to Railway" if is_missing else "Railway does not answer"
    do = "Set the bot's variables." if is_missing else "The services may be fine. Check Railway's status."
    finding = replace(
        silent, title=title, detail=f"{do} ({silent.detail})", next_step=CONFIG if is_missing else RAILWAY_STATUS
    )
    yield Cause(Kind.RAILWAY, finding, frozenset({silent.check}))


_FINDERS: Sequence[Callable[[_Found], Iterator[Cause]]] = (
    _find_database,
    _find_refused_writes,
    _find_migrations,
    _find_permissions,
    _find_no_access,
    _find_deploys,
    _find_workers,
    _find_api,
    _find_railway,
)


def _broken(found: _Found, service: Service) -> list[Finding]:
    """What is wrong with a service in a way that a deploy may do."""
    short = service.short
    candidates = [found.one(f"{kind}.{short}") for kind in ("deployment", "heartbeats", "workers")]
    broken = [one for one in candidates if one is not None and one.status is Status.FAIL]
    api = found.one("api.health") if service.is_api else None
    broken += [api] if api is not None and api.status is not Status.OK and not _is_unset(api) else []
    return [*broken, *_gave_up(found, service)]


def _crashed_at_start(found: _Found, service: Service, state: Finding, deployed_at: datetime) -> bool:
    """Whether what was deployed never came to run."""
    is_crashed = state.evidence.get("latest_status") == DeploymentStatus.CRASHED
    return is_crashed and not _did_run(found, service, state, deployed_at)


def _was_killed(found: _Found, service: Service, state: Finding, deployed_at: datetime) -> bool:
    """Whether the deployment's process ran, named no error and is gone: the deploy is then no suspect."""
    if not _did_run(found, service, state, deployed_at) or not _is_process_gone(state) or _dies_again(found, service):
        return False
    return not _gave_up(found, service) and not _error(found, service)


def _did_run(found: _Found, service: Service, state: Finding, deployed_at: datetime) -> bool:
    """Whether a worker of the deployment beat after it had started, or its API answered well."""
    read = _answered_for if service.is_api else _beat_for
    worked_for = read(found, service, state, deployed_at)
    return worked_for is not None and worked_for > RAN


def _answered_for(found: _Found, service: Service, state: Finding, deployed_at: datetime) -> timedelta | None:  # noqa: ARG001 - as `_beat_for`
    """How long the API of the deployment's commit answered well; the one before it answers while it is built."""
    api = found.one("api.health")
    since, until = (_moment(api.evidence.get(name)) if api else None for name in ("well_since", "well_until"))
    own, its = api.evidence.get("well_sha") if api else None, state.evidence.get("latest_sha")
    is_its = isinstance(own, str) and isinstance(its, str) and same_sha(own, its)
    return until - since if is_its and since and until and since >= deployed_at else None


def _dies_again(found: _Found, service: Service) -> bool:
    """Whether the API began to answer well more than once: its process was started again, and died again."""
    api = found.one("api.health") if service.is_api else None
    spans = api.evidence.get("well_spans") if api else None
    return isinstance(spans, int) and spans > 1


def _ran_well(found: _Found, service: Service, state: Finding, deployed_at: datetime) -> bool:
    """Whether the deployment worked for minutes: its newest worker beat, or the API answered well."""
    if not service.is_api:
        beat_for = _beat_for(found, service, state, deployed_at)
        return beat_for is not None and beat_for > RAN_WELL
    until, live_at = _well_until(found), _moment(state.evidence.get("latest_status_at"))
    if until is None or live_at is None or state.evidence.get("latest_status") != DeploymentStatus.SUCCESS:
        return False  # while it was built the one before answered
    return until - max(live_at, deployed_at) > RAN_WELL


def _well_until(found: _Found) -> datetime | None:
    """The API's last good answer: where this process has asked lately, otherwise by the alert that it is bad."""
    api = found.one("api.health")
    known = [_moment(api.evidence.get(name)) for name in ("well_until", "bad_since")] if api else []
    return max(filter(None, known), default=None)


def _beat_for(found: _Found, service: Service, state: Finding, deployed_at: datetime) -> timedelta | None:
    """How long the newest worker of the deployment beat. The one before it beats while it is built: that one started
    earlier, or has another SHA."""
    beats = found.one(f"heartbeats.{service.short}")
    last = _moment(beats.evidence.get("last_beat_at")) if beats else None
    if beats is None or last is None:
        return None
    started_at = _moment(beats.evidence.get("last_beat_started_at")) or deployed_at
    own, its = beats.evidence.get("last_beat_sha"), state.evidence.get("latest_sha")
    if isinstance(own, str) and isinstance(its, str) and not same_sha(own, its):
        return None
    return last - started_at if started_at >= deployed_at else None


def _is_process_gone(state: Finding) -> bool:
    """Whether Railway runs fewer processes than it should, by what it says itself."""
    running, wanted = state.evidence.get("running"), state.evidence.get("replicas_configured")
    return isinstance(running, int) and isinstance(wanted, int) and running < wanted


def _fell_silent_before(found: _Found, service: Service, deployed_at: datetime) -> bool:
    """Whether the workers were silent before the deployment was made: then it is an attempt to fix that."""
    beats = found.one(f"heartbeats.{service.short}")
    last = _moment(beats.evidence.get("last_beat_at")) if beats and not beats.evidence.get("beating") else None
    return last is not None and deployed_at - last > SILENT_BEFORE


def _gave_up(found: _Found, service: Service) -> list[Finding]:
    """That the log says "Crash loop detected", and no line since that it works."""
    lines = found.wrong(f"logs.{service.short}")
    return [one for one in lines if one.evidence.get("topic") == Topic.CRASH_LOOP and one.status is Status.FAIL]


def _is_unset(finding: Finding) -> bool:
    """Whether nothing was asked, because the settings lack what that takes."""
    why = f"{finding.detail} {finding.evidence.get('why', '')}"
    return "not configured" in why or "not set" in why


def _is_deploying(state: Finding | None) -> bool:
    status = state.evidence.get("latest_status") if state else None
    return isinstance(status, str) and DeploymentStatus(status).is_in_progress


def _error(found: _Found, service: Service) -> str:
    """The exception that the log names last: " (FileNotFoundError)"."""
    named = [one for one in found.wrong(f"logs.{service.short}") if isinstance(one.evidence.get("error"), str)]
    last = max(named, key=lambda one: str(one.evidence.get("last_at", "")), default=None)
    return f" ({last.evidence['error']})" if last else ""


def _saying(found: _Found, words: str) -> list[Finding]:
    """Lines of logs and errors of jobs that have these words."""
    wrong_findings = [*found.wrong("logs"), *found.wrong("queue")]
    return [one for one in wrong_findings if words in one.title.lower()]


def _first(findings: Sequence[Finding]) -> datetime | None:
    moments = [moment for one in findings if (moment := _moment(one.evidence.get("first_at")))]
    return min(moments, default=None)


def _moment(written: object) -> datetime | None:
    return datetime.fromisoformat(written) if isinstance(written, str) else None
