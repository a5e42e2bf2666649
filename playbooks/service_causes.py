"""Finds causes in the services: a bad deploy, a dead process, a service that does not answer.

Each finder names a cause only on its own evidence, and says what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from playbooks.last_deploys import CRASHES, RAN_WELL, deploy_name
from playbooks.log_lines import Topic
from playbooks.model import Finding, NextStep, Status
from playbooks.root_causes import CONFIG, Cause, Found, Kind, first_moment, read_moment
from services.domain.deployments import DeploymentStatus
from services.domain.services import Service, same_sha, short_sha
from services.domain.text import age

BLAMED_FOR = timedelta(minutes=30)  # a deploy is rarely the cause of a problem that begins later

SILENT_BEFORE = timedelta(minutes=1)  # heartbeats that end longer before a deployment did not end because of it

RAN = timedelta(seconds=5)  # a process that beats for so long after its start has started well

RAILWAY_STATUS = NextStep("Railway's status", url="https://status.railway.com")


def find_deploys(found: Found) -> Iterator[Cause]:
    """A service that failed within minutes of its newest deployment: the remedy is a rollback."""
    for service in found.system.services:
        state, broken = found.one(f"deployment.{service.short}"), _broken(found, service)
        deployed_at = _deployed_at(found, state)
        if state is None or deployed_at is None or not broken or _fell_silent_before(found, service, deployed_at):
            continue
        if _was_killed(found, service, state, deployed_at) or _ran_well(found, service, state, deployed_at):
            continue  # the deployed code did run
        words = CRASHES if _crashed_at_start(found, service, state, deployed_at) else "does not work"
        title = f"{deploy_name(_sha(state), service)} {words}{_error(found, service)}"
        step = NextStep(f"Roll back {service.short}…", f"rollback {service.short}")
        finding = replace(
            broken[0], status=Status.FAIL, title=title, detail="Roll back.", service=service, next_step=step
        )
        yield Cause(Kind.DEPLOY, finding, frozenset({broken[0].check}), deployed_at)


def _deployed_at(found: Found, state: Finding | None) -> datetime | None:
    """The time of the newest deployment, if it changed the code within the last 30 min and then ran or crashed."""
    made = read_moment(state.evidence.get("latest_at")) if state else None
    if state is None or made is None or found.now - made > BLAMED_FOR or state.evidence["latest"] in found.same_again:
        return None
    is_over = state.evidence.get("latest_status") in (DeploymentStatus.SUCCESS, DeploymentStatus.CRASHED)
    return made if is_over else None  # otherwise it is in progress, or it never ran


def _deployed_before(found: Found, service: Service, bad_since: datetime | None) -> str:
    """A deploy that is no suspect, as a fact: " Deploy e9a70d3b was 12 min before and ran well."."""
    state = found.one(f"deployment.{service.short}")
    made = _deployed_at(found, state)
    if state is None or made is None or bad_since is None or bad_since <= made:
        return ""
    return f" Deploy {_sha(state)} was {age(bad_since - made)} before and ran well."


def _sha(state: Finding) -> str:
    sha = state.evidence.get("latest_sha")
    return short_sha(sha if isinstance(sha, str) else None)


def find_workers(found: Found) -> Iterator[Cause]:
    """Workers that are gone, hang, or ended themselves, not because of a deploy."""
    for service in found.system.workers:
        beats, state = found.one(f"heartbeats.{service.short}"), found.one(f"deployment.{service.short}")
        if gave_up := _gave_up(found, service):
            do = "Read its log, fix the cause, then redeploy."
            title = f"{service.short} gave up after failing again and again{_error(found, service)}"
            step = NextStep(f"Logs of {service.short}", f"logs {service.short}")
            finding = replace(gave_up[0], title=title, detail=do, next_step=step)
            yield Cause(Kind.WORKER, finding, frozenset({gave_up[0].check}), first_moment(gave_up))
        elif beats is not None and beats.status is Status.FAIL and not _is_deploying(state):
            yield _lost_workers(found, service, beats, state)
        elif state is not None and state.status is Status.FAIL and state.evidence.get("crashed"):
            step = NextStep(f"Restart {service.short}", f"restart {service.short}")
            finding = replace(
                state, title=f"{service.short} crashed (Railway)", detail=f"Restart {service.short}.", next_step=step
            )
            yield Cause(Kind.WORKER, finding, frozenset({state.check}))


def _lost_workers(found: Found, service: Service, beats: Finding, state: Finding | None) -> Cause:
    short, expected = service.short, beats.evidence.get("expected")
    beating = beats.evidence.get("beating")
    alive = len(beating) if isinstance(beating, list) else 0
    title = f"{alive} of {expected} {short} workers alive" if alive else f"{short} is down (0 of {expected})"
    # Without a living worker a stop interrupts nothing; otherwise the others should continue to work.
    step = NextStep(f"Restart {short}", f"restart {short}" if alive else f"restart {short} --through-zero")
    since = None if alive else read_moment(beats.evidence.get("last_beat_at"))  # the newest beat is a living worker's
    more = f" {beats.detail}" if alive else _deployed_before(found, service, since)
    detail = f"Restart {short}.{_process(state)}{more}"
    finding = replace(beats, title=title, detail=detail, next_step=step)
    return Cause(Kind.WORKER, finding, frozenset({beats.check}), since)


def _process(state: Finding | None) -> str:
    """Railway's report of the processes."""
    if state is None or not isinstance(state.evidence.get("replicas_configured"), int):
        return ""
    running, wanted = state.evidence.get("running"), state.evidence.get("replicas_configured")
    return (
        f" Its process has died: Railway runs {running} of {wanted}."
        if _is_process_gone(state)
        else " Its process runs but sends no heartbeat."
    )


def find_api(found: Found) -> Iterator[Cause]:
    api = found.one("api.health")
    if api is None or api.status is Status.OK or api.evidence.get("db_connected") is not None:
        return  # an API that answers reports its own problem
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


def find_railway(found: Found) -> Iterator[Cause]:
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


def _broken(found: Found, service: Service) -> list[Finding]:
    """The problems of a service that a deploy may cause."""
    short = service.short
    candidates = [found.one(f"{kind}.{short}") for kind in ("deployment", "heartbeats", "workers")]
    broken = [one for one in candidates if one is not None and one.status is Status.FAIL]
    api = found.one("api.health") if service.is_api else None
    broken += [api] if api is not None and api.status is not Status.OK and not _is_unset(api) else []
    return [*broken, *_gave_up(found, service)]


def _crashed_at_start(found: Found, service: Service, state: Finding, deployed_at: datetime) -> bool:
    """True if the deployed code never ran."""
    is_crashed = state.evidence.get("latest_status") == DeploymentStatus.CRASHED
    return is_crashed and not _did_run(found, service, state, deployed_at)


def _was_killed(found: Found, service: Service, state: Finding, deployed_at: datetime) -> bool:
    """True if the deployment's process ran, logged no error and is gone: then the deploy is no suspect."""
    if not _did_run(found, service, state, deployed_at) or not _is_process_gone(state) or _dies_again(found, service):
        return False
    return not _gave_up(found, service) and not _error(found, service)


def _did_run(found: Found, service: Service, state: Finding, deployed_at: datetime) -> bool:
    """True if a worker of the deployment beat after its start, or its API answered ok."""
    read = _answered_for if service.is_api else _beat_for
    worked_for = read(found, service, state, deployed_at)
    return worked_for is not None and worked_for > RAN


def _answered_for(found: Found, service: Service, state: Finding, deployed_at: datetime) -> timedelta | None:  # noqa: ARG001 - as `_beat_for`
    """The time that the API answered ok with the deployment's commit; while it is built, the previous one answers."""
    api = found.one("api.health")
    since, until = (read_moment(api.evidence.get(name)) if api else None for name in ("well_since", "well_until"))
    own, its = api.evidence.get("well_sha") if api else None, state.evidence.get("latest_sha")
    is_its = isinstance(own, str) and isinstance(its, str) and same_sha(own, its)
    return until - since if is_its and since and until and since >= deployed_at else None


def _dies_again(found: Found, service: Service) -> bool:
    """True if the API started to answer ok more than once: its process was restarted, and died again."""
    api = found.one("api.health") if service.is_api else None
    spans = api.evidence.get("well_spans") if api else None
    return isinstance(spans, int) and spans > 1


def _ran_well(found: Found, service: Service, state: Finding, deployed_at: datetime) -> bool:
    """True if the deployment worked for minutes: its newest worker beat, or the API answered ok."""
    if not service.is_api:
        beat_for = _beat_for(found, service, state, deployed_at)
        return beat_for is not None and beat_for > RAN_WELL
    until, live_at = _well_until(found), read_moment(state.evidence.get("latest_status_at"))
    if until is None or live_at is None or state.evidence.get("latest_status") != DeploymentStatus.SUCCESS:
        return False  # the previous one answered while it was built
    return until - max(live_at, deployed_at) > RAN_WELL


def _well_until(found: Found) -> datetime | None:
    """The time of the API's last ok answer: as this process saw it, otherwise from the alert about the API."""
    api = found.one("api.health")
    known = [read_moment(api.evidence.get(name)) for name in ("well_until", "bad_since")] if api else []
    return max(filter(None, known), default=None)


def _beat_for(found: Found, service: Service, state: Finding, deployed_at: datetime) -> timedelta | None:
    """The time for which the newest worker of the deployment beat. While it is built, the previous one beats, which
    started earlier or has another SHA."""
    beats = found.one(f"heartbeats.{service.short}")
    last = read_moment(beats.evidence.get("last_beat_at")) if beats else None
    if beats is None or last is None:
        return None
    started_at = read_moment(beats.evidence.get("last_beat_started_at")) or deployed_at
    own, its = beats.evidence.get("last_beat_sha"), state.evidence.get("latest_sha")
    if isinstance(own, str) and isinstance(its, str) and not same_sha(own, its):
        return None
    return last - started_at if started_at >= deployed_at else None


def _is_process_gone(state: Finding) -> bool:
    """True if Railway itself reports fewer running processes than configured."""
    running, wanted = state.evidence.get("running"), state.evidence.get("replicas_configured")
    return isinstance(running, int) and isinstance(wanted, int) and running < wanted


def _fell_silent_before(found: Found, service: Service, deployed_at: datetime) -> bool:
    """True if the workers were silent before the deployment was made: then it is an attempt to fix that."""
    beats = found.one(f"heartbeats.{service.short}")
    last = read_moment(beats.evidence.get("last_beat_at")) if beats and not beats.evidence.get("beating") else None
    return last is not None and deployed_at - last > SILENT_BEFORE


def _gave_up(found: Found, service: Service) -> list[Finding]:
    """The log findings "Crash loop detected" without a later line that shows recovery."""
    lines = found.wrong(f"logs.{service.short}")
    return [one for one in lines if one.evidence.get("topic") == Topic.CRASH_LOOP and one.status is Status.FAIL]


def _is_unset(finding: Finding) -> bool:
    """True if nothing was read because the settings for it are missing."""
    why = f"{finding.detail} {finding.evidence.get('why', '')}"
    return "not configured" in why or "not set" in why


def _is_deploying(state: Finding | None) -> bool:
    status = state.evidence.get("latest_status") if state else None
    return isinstance(status, str) and DeploymentStatus(status).is_in_progress


def _error(found: Found, service: Service) -> str:
    """The exception that the log named last: " (FileNotFoundError)"."""
    named = [one for one in found.wrong(f"logs.{service.short}") if isinstance(one.evidence.get("error"), str)]
    last = max(named, key=lambda one: str(one.evidence.get("last_at", "")), default=None)
    return f" ({last.evidence['error']})" if last else ""
