"""Channel messages on changes of the policy and the alert rules, with names instead of mentions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.config.alerts import AlertRules
from bot.config.fields import Fault
from bot.config.policy import ANYBODY, VERBS, Policy, Right, Rule, Target
from bot.types import Block
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.text import escape
from services.domain.oncall import is_group
from services.domain.people import outside_name
from services.domain.services import DECLARED, Service
from services.domain.text import age

Content = tuple[str, list[Block]]
NameOf = Callable[[str], str]  # name by Slack id; "" if unknown
MOST = 10


def refused_file_message(what: str, faults: Sequence[Fault], *, show: tuple[str, str]) -> Content:
    """A file was refused: each fault with its line. `what`: "policy". `show`: a button's label and command."""
    first = f"🔴 *The {what} was not loaded*: the last good one stays in force"
    lines = [f"• {escape(str(fault), limit=300)}" for fault in faults[:MOST]]
    blocks = [section("\n".join([first, *lines])), *actions([command_button(*show)])]
    return fit_message("\n".join([first.replace("*", ""), *lines[:1]]), blocks)


def good_file_message(what: str) -> Content:
    """After `refused_file_message`: the file is valid again, and equal to the version in force."""
    line = f"✅ The {what} is good again and is in force"
    return fit_message(line, [section(line)])


def new_policy_message(before: Policy | None, after: Policy, environment: str, name_of: NameOf) -> Content:
    """The changed rules and rights. `before`: None if the stored policy can't be read any more."""
    first = "🔑 *The policy changed* and is in force"
    if before is None:
        changes, rights = ["its former rules can't be read by this release: compare the files"], []
    else:
        changes, rights = (
            list(policy_changes(before, after, name_of)),
            list(right_changes(before, after, environment, name_of)),
        )
    lines = [f"• {escape(line, limit=300)}" for line in _bounded(changes or ["no rule differs"])]
    lines += [f"*Who may do what now in {escape(environment)}*"] if rights else []
    lines += [f"• {escape(line, limit=300)}" for line in _bounded(rights)]
    note = f"policy `{after.hash[:12]}` · it applies to waiting requests too · `policy explain` shows rights"
    return fit_message(first.replace("*", ""), [section("\n".join([first, *lines])), context(note)])


def new_rules_message(before: AlertRules | None, after: AlertRules) -> Content:
    """The changed limits, with both values. `before`: None if the stored rules can't be read any more."""
    first = "🔔 *The alert rules changed* and are in force"
    changes = ["what they were can't be read by this release"] if before is None else list(limit_changes(before, after))
    lines = [f"• {escape(line, limit=300)}" for line in _bounded(changes or ["no limit differs"])]
    return fit_message(first.replace("*", ""), [section("\n".join([first, *lines]))])


def policy_changes(before: Policy, after: Policy, name_of: NameOf) -> Iterator[str]:
    """One line per rule that was added, removed, or applies to other people; then other changes."""
    old, new = Counter(before.rules_without_places), Counter(after.rules_without_places)
    removed, added = list((old - new).elements()), list((new - old).elements())
    for rule in added:
        former = next((one for one in removed if rule.is_about_same(one)), None)
        if former is None:
            yield f"added: {rule_words(rule, name_of)}"
            continue
        removed.remove(former)
        yield f"changed: {rule_words(rule, name_of)} ({_people_changes(former.who, rule.who, name_of)})"
    for rule in removed:
        yield f"removed: {rule_words(rule, name_of)}"
    if before.expires_after != after.expires_after:
        yield f"a request expires after {age(after.expires_after)} instead of {age(before.expires_after)}"


def rule_words(rule: Rule, name_of: NameOf) -> str:
    """ "allow: @interns may request scale of ingest in dev (replicas <= 3)", plain."""
    who = _listed(_name(one, name_of) for one in rule.who) or "no one"
    verbs = "everything" if rule.verbs is None else _listed(rule.verbs) or "nothing"
    services = "" if rule.services is None else f" of {_listed(one.short for one in rule.services) or 'no service'}"
    places = "" if rule.environments is None else f" in {_listed(rule.environments) or 'no environment'}"
    conditions = f" ({rule.conditions})" if rule.conditions else ""
    may = "may not" if rule.denies else "may"
    return f"{'deny' if rule.denies else 'allow'}: {who} {may} {rule.right.value} {verbs}{services}{places}{conditions}"


def right_changes(before: Policy, after: Policy, environment: str, name_of: NameOf) -> Iterator[str]:
    """One line per id and right that changed: the verbs gained and lost, regardless of conditions."""
    ids = sorted({one for policy in (before, after) for rule in policy.rules for one in rule.who} - {ANYBODY})
    for one in ids:
        for right in Right:
            old, new = (_granted(policy, right, one, environment) for policy in (before, after))
            if old != new:
                yield f"{_name(one, name_of)}: {'; '.join(_right_words(right, old, new))}"


def limit_changes(before: AlertRules, after: AlertRules) -> Iterator[str]:
    """ "rules.workers.silent_s: 45, now 60"."""
    old, new = dict(_flatten(before.model_dump(mode="json"))), dict(_flatten(after.model_dump(mode="json")))
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield f"{name}: {old.get(name)}, now {new.get(name)}"


def _right_words(right: Right, old: frozenset[str], new: frozenset[str]) -> Iterator[str]:
    if new - old:
        yield f"may now {right.value} {_shown(new - old, new)}"
    if old - new:
        yield f"may no longer {right.value} {_shown(old - new, old)}"


def _shown(verbs: frozenset[str], of: frozenset[str]) -> str:
    return "everything" if verbs == of == VERBS else _listed(verbs)


def _granted(policy: Policy, right: Right, one: str, environment: str) -> frozenset[str]:
    """The verbs that this id itself may use on some service; members of a group count only as the group."""
    parts = (None, *DECLARED)
    return frozenset(
        verb for verb in VERBS if any(_is_granted(policy, right, one, verb, part, environment) for part in parts)
    )


def _is_granted(policy: Policy, right: Right, one: str, verb: str, part: Service | None, environment: str) -> bool:
    target = Target(verb, frozenset({part} if part else ()), environment, any_moment=True)
    denied = any({one, ANYBODY} & rule.who for rule in policy.about(right, target, part, denies=True))
    return not denied and any(one in rule.who for rule in policy.about(right, target, part, denies=False))


def _people_changes(before: frozenset[str], after: frozenset[str], name_of: NameOf) -> str:
    gone, come = [[_name(one, name_of) for one in sorted(ids)] for ids in (before - after, after - before)]
    return ", ".join([*(f"now {one} too" for one in come), *(f"no longer {one}" for one in gone)])


def _name(one: str, name_of: NameOf) -> str:
    if one == ANYBODY:
        return "everybody"
    return outside_name(one) or name_of(one) or (f"group {one}" if is_group(one) else one)


def _bounded(lines: Sequence[str]) -> list[str]:
    more = len(lines) - MOST
    return [*lines[:MOST], *([f"and {more} more"] if more > 0 else [])]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


def _flatten(table: Mapping[str, Any], *above: str) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, *above, key)
        else:
            yield ".".join((*above, key)), value
