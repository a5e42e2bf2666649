"""Check that the bot's own settings are complete and that its sources answer

When:   after the first deploy of the bot, and when a command says that something is not configured.
Effect: none, it only reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from playbooks.checks import drift
from playbooks.checks.bot import check_channel
from playbooks.checks.database import check_system
from playbooks.checks.heartbeats import limit_words
from playbooks.checks.oncall import Targets, check_absent, check_calendars, check_targets
from playbooks.checks.settings import Group, check_group
from playbooks.model import Finding, Status
from services.domain.calendar_slots import CalendarState
from services.domain.database import SchemaDrift
from services.domain.errors import Unavailable
from services.domain.messages import PAGE, RefusedMessage
from services.domain.model_prices import DEFAULT_MODEL, MODELS
from services.domain.oncall import Schedule, is_group
from services.domain.systems import System
from services.domain.text import counted
from services.domain.thresholds import StaleLimits


@dataclass(frozen=True)
class Facts:
    """`operators`, `approvers`: the listed Slack ids, None if the variable is malformed.

    `sources`: for each source that was read, why it did not answer, None if it did. `gaps`: for each change, why no one
    can request or approve it, None if people can; empty if the policy cannot be used. `outside_targets`: the number of
    targets outside Slack. `is_monitored`: True if an outside monitor watches the bot. `schedule`: of the on-call file,
    None without a usable one. `absent`, `calendars`: see `playbooks.checks.oncall.Facts`. `channel_problem`: why the
    incidents channel takes no messages, None if it does or if that is not known. `user_groups`: those that do not
    follow their rotation, and why. `model`: the model that answers in words, None without a key. `refused`: messages
    that Slack refused permanently in the last 24 h. `system_problem`: why nothing may be changed in the database.
    """

    groups: Sequence[Group]
    operators: Sequence[str] | None
    approvers: Sequence[str] | None
    sources: Mapping[str, Unavailable | None]
    drift: SchemaDrift | Unavailable
    gaps: Mapping[str, str | Unavailable | None]
    outside_targets: int
    is_monitored: bool
    schedule: Schedule | None = None
    targets: Targets = field(default_factory=Targets)
    absent: Mapping[str, str] | Unavailable = field(default_factory=dict)
    calendars: Sequence[CalendarState] = ()
    user_groups: Sequence[tuple[str, str]] | Unavailable = ()
    channel_problem: str | None = None
    refused: Sequence[RefusedMessage] | Unavailable = ()
    stale_after: StaleLimits = field(default_factory=StaleLimits)
    system_problem: str | None = None
    model: str | None = None
    system: System = field(kw_only=True)
    now: datetime = field(kw_only=True)


def check(facts: Facts) -> list[Finding]:
    """One finding per group, then people, changes, limits, targets outside Slack, sources and drift."""
    return [
        *(check_group(group) for group in facts.groups),
        *_check_people(facts),
        *_check_changes(facts.gaps),
        *_check_oncall(facts),
        _check_limits(facts.stale_after, facts.system),
        _check_outside_targets(facts.outside_targets),
        _check_monitor(facts.is_monitored),
        *_check_model(facts.model),
        *([check_channel(facts.channel_problem)] if facts.channel_problem else []),
        *_check_refused(facts.refused),
        *(_check_source(name, why) for name, why in facts.sources.items()),
        *check_system(facts.system_problem),
        *drift.check(facts.drift),
    ]


def _check_people(facts: Facts) -> list[Finding]:
    return [
        _check_list("operators", "request", facts.operators),
        _check_list("approvers", "approve", facts.approvers),
    ]


def _check_list(role: str, verb: str, listed: Sequence[str] | None) -> Finding:
    name, evidence = f"people.{role}", {"listed": None if listed is None else len(listed)}
    if listed is None:
        return Finding(name, Status.FAIL, f"no one can {verb} a change", "the list is malformed", evidence=evidence)
    if not listed:
        detail = f"DRAGONFLY_{role.upper()} is empty, which allows no one"
        return Finding(name, Status.WARN, f"no one can {verb} a change", detail, evidence=evidence)
    return Finding(name, Status.OK, f"{role}: {_counted_ids(listed)}", evidence=evidence)


def _counted_ids(listed: Sequence[str]) -> str:
    """ "1 user group and 2 people": only Slack knows how many people are in a group."""
    groups = sum(map(is_group, listed))
    parts = [counted(groups, "user group")] if groups else []
    people = len(listed) - groups
    parts += [f"{people} {'person' if people == 1 else 'people'}"] if people else []
    return " and ".join(parts)


def _check_changes(gaps: Mapping[str, str | Unavailable | None]) -> list[Finding]:
    """Find changes that no one can request or approve: better now than during an incident."""
    findings = [
        Finding(f"policy.{change}", Status.WARN, f"{change}: {why}", "add people to the policy, or to its lists")
        for change, why in gaps.items()
        if isinstance(why, str)
    ]
    unknown = {change: why.why for change, why in gaps.items() if isinstance(why, Unavailable)}
    if unknown:
        title = f"approvers of {', '.join(unknown)} unknown"
        findings.append(Finding("policy", Status.UNKNOWN, title, next(iter(unknown.values()))))
    if gaps and not findings:
        findings.append(Finding("policy", Status.OK, f"all {len(gaps)} changes have requesters and approvers"))
    return findings


def _check_limits(limits: StaleLimits, system: System) -> Finding:
    evidence = {"general_s": limits.general.total_seconds()}
    evidence |= {
        f"{service.short}_s": limits.of(service.worker_type or "").total_seconds() for service in system.workers
    }
    return Finding(
        "heartbeats.limits", Status.OK, f"heartbeats are stale after {limit_words(limits, system)}", evidence=evidence
    )


def _check_outside_targets(count: int) -> Finding:
    """Warn if there is no target outside Slack, which may be muted at night."""
    evidence = {"targets": count}
    if count == 0:
        detail = "no PAGER_WEBHOOK_URL, PAGER_ROUTING_KEY or PAGER_EMAIL is set, and Slack may be muted at night"
        return Finding("paging.targets", Status.WARN, "pages go to Slack only", detail, evidence=evidence)
    return Finding("paging.targets", Status.OK, f"{counted(count, 'target')} outside Slack", evidence=evidence)


def _check_monitor(is_monitored: bool) -> Finding:
    if is_monitored:
        return Finding("paging.monitor", Status.OK, "an outside monitor notices when the bot is down")
    detail = "DEAD_MANS_SWITCH_URL is not set"
    return Finding("paging.monitor", Status.WARN, "no outside monitor notices when the bot is down", detail)


def _check_model(model: str | None) -> list[Finding]:
    known = MODELS.get(model) if model else None
    if known is None or known.ends_on is None:
        return []
    return [
        Finding(
            "assistant.model",
            Status.WARN,
            f"OpenAI shuts down {model} on {known.ends_on:%Y-%m-%d}",
            f"without OPENAI_MODEL {DEFAULT_MODEL} is asked; without any model, questions are answered by rules",
            evidence={"model": model, "ends_on": known.ends_on.isoformat()},
        )
    ]


def _check_refused(refused: Sequence[RefusedMessage] | Unavailable) -> list[Finding]:
    """Report messages that Slack accepted in no form: each page was sent elsewhere, and all are in the log."""
    if isinstance(refused, Unavailable) or not refused:
        return []  # another finding already says that the database is unavailable
    newest = refused[0]
    return [
        Finding(
            "slack.refused",
            Status.FAIL if any(one.priority >= PAGE for one in refused) else Status.WARN,
            f"Slack refused {counted(len(refused), 'message')} for good in the last 24 h",
            f"the newest is {newest.key}: {newest.error}",
            evidence={"refused": [{"key": one.key, "error": one.error} for one in refused]},
        )
    ]


def _check_oncall(facts: Facts) -> list[Finding]:
    if facts.schedule is not None:
        return [
            *check_targets(facts.schedule, facts.targets),
            *check_calendars(facts.calendars, facts.now),
            *_check_user_groups(facts.user_groups),
            *check_absent(facts.schedule, facts.absent),
        ]
    if any(group.name == "oncall" and group.faults for group in facts.groups):
        return []  # another finding already reports it, with the line
    detail = "incidents page the approvers, in Slack only; see oncall.example.toml and DRAGONFLY_ONCALL"
    return [Finding("oncall.schedule", Status.WARN, "there is no on-call file", detail)]


def _check_user_groups(refused: Sequence[tuple[str, str]] | Unavailable) -> list[Finding]:
    if isinstance(refused, Unavailable):
        return [Finding("oncall.groups", Status.UNKNOWN, "whether user groups follow is unknown", refused.why)]
    title = "the user group {} does not follow its rotation; pages do not depend on it"
    return [Finding(f"oncall.groups.{group}", Status.WARN, title.format(group), why) for group, why in refused]


def _check_source(name: str, why: Unavailable | None) -> Finding:
    check_name = f"source.{name.lower()}"
    if why is None:
        return Finding(check_name, Status.OK, f"{name} answers")
    return Finding(check_name, Status.FAIL, f"{name} does not answer", why.why)
