"""Watches the policy and the alert rules: a valid file takes effect at once, an invalid one keeps the last valid one.

The leader announces changes once, and stores the last valid file in the database: a bot that starts with an invalid
file uses the stored one, and a bot that starts with a different file announces the change.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from bot.config import alerts_file, policy_file
from bot.config.alerts import AlertRules
from bot.config.behavior import PeopleSettings
from bot.config.fields import Invalid
from bot.config.policy import Policy
from bot.leader import Fence
from bot.slack_directory import SlackNames
from bot.views import rule_files as view
from bot.wake_ups import WakeUps
from bot.watched_files.news import FileNews
from bot.watched_files.watch import CHECK_EVERY_S, FileState, FileWatch
from services.clients.postgres import messages
from services.clients.postgres.audit import append_audit
from services.clients.postgres.pool import Database
from services.clients.postgres.queries import read_clock
from services.clients.postgres.taken_files import TakenFile, lock_taken_files, read_taken_file, store_taken_file

POLICY, ALERTS = "policy", "alerts"
ACTOR = "bot"  # actor in the audit log

T = TypeVar("T")


class RuleFileWatch(FileWatch[T]):
    """Watch of a rule file. `name`: key of its database row. `apply`: puts a valid file into force in this process.
    `is_in_force`: a valid file is in force already. `people`: the lists of people that the file is read with."""

    def __init__(
        self,
        name: str,
        path: Path,
        read: Callable[[bytes, str], T | Invalid],
        database: Database,
        apply: Callable[[T], None],
        *,
        is_in_force: bool,
        people: Mapping[str, Sequence[str]],
        group: str,
        every_s: float = CHECK_EVERY_S,
    ) -> None:
        super().__init__(path, f"{name} file", group, read, every_s=every_s)
        self.name = name
        self.people = people
        self._database = database
        self._apply = apply
        self._is_in_force = is_in_force

    async def _take_over(self, value: T) -> None:
        self._is_in_force = True
        self._apply(value)

    def _refuse(self, fault: Invalid) -> bool:  # noqa: ARG002 - `check-config` reads the file itself
        return self._is_in_force

    async def _stored(self) -> bytes | None:
        async with self._database.read() as conn:
            stored = await read_taken_file(conn, name=self.name)
        return stored.content if stored else None


class PolicyWatch(RuleFileWatch[Policy]):
    """Watch of the policy file in the settings, else of the default file: changed lists of people change it, too."""

    def __init__(
        self, people: PeopleSettings, database: Database, apply: Callable[[Policy], None], *, is_in_force: bool
    ) -> None:
        super().__init__(
            POLICY,
            people.policy_path or policy_file.DEFAULT,
            partial(policy_file.read_policy, people=people),
            database,
            apply,
            is_in_force=is_in_force,
            people={"operators": people.operators, "approvers": people.approvers},
            group=policy_file.GROUP,
        )


class AlertRulesWatch(RuleFileWatch[AlertRules]):
    def __init__(
        self, path: Path, database: Database, apply: Callable[[AlertRules], None], *, is_in_force: bool
    ) -> None:
        read, group = alerts_file.read_rules, alerts_file.GROUP
        super().__init__(ALERTS, path, read, database, apply, is_in_force=is_in_force, people={}, group=group)


class RuleFileNews(FileNews[T]):
    def __init__(self, watch: RuleFileWatch[T], database: Database, wake_ups: WakeUps, *, channel: str) -> None:
        super().__init__(watch, database, wake_ups)
        self.key = watch.name
        self._watch = watch
        self._to = channel

    @property
    def _channel(self) -> str:
        return self._to

    @abstractmethod
    async def _message(self, before: TakenFile, after: T) -> view.Content:
        """Message with the differences."""

    def _refused(self, fault: Invalid) -> view.Content:
        return view.refused_file_message(self.name, fault.faults, show=("Settings", "check-config"))

    async def _notify(self, fence: Fence, state: FileState[T], value: T) -> None:
        name, taken = self._watch.name, TakenFile(state.content, self._watch.people)
        async with self._database.read() as conn:
            before = await read_taken_file(conn, name=name)
        if before is not None and _is_same(before, taken):
            await self._notify_of_recovery(fence, state)
            return
        content = await self._message(before, value) if before is not None else None  # may call Slack
        async with self._database.transaction() as conn:
            await fence.lock(conn)
            await lock_taken_files(conn)
            if await read_taken_file(conn, name=name) != before:
                return
            await store_taken_file(conn, name=name, taken=taken)
            if content is None or before is None:
                return
            key = f"{name}:file:{state.digest[:16]}:{await read_clock(conn):%Y%m%dT%H%M%S}"
            await messages.store_content(conn, key, self._channel, content)
            details = {"file": state.digest, "before": FileState(before.content, value).digest}
            await append_audit(conn, actor=ACTOR, event=f"{name}.taken", run_id=None, details=details)


class PolicyNews(RuleFileNews[Policy]):
    """News of the policy. `names`: for people and groups, so that the message mentions no one."""

    def __init__(
        self,
        watch: RuleFileWatch[Policy],
        database: Database,
        wake_ups: WakeUps,
        *,
        channel: str,
        environment: str,
        names: SlackNames,
    ) -> None:
        super().__init__(watch, database, wake_ups, channel=channel)
        self._environment = environment
        self._names = names

    async def _message(self, before: TakenFile, after: Policy) -> view.Content:
        former = _policy_of(before)
        await self._names.look_up(one for policy in (former, after) if policy for one in policy.slack_ids)
        return view.new_policy_message(former, after, self._environment, self._names.known)


class AlertRulesNews(RuleFileNews[AlertRules]):
    async def _message(self, before: TakenFile, after: AlertRules) -> view.Content:
        former = alerts_file.read_rules(before.content, ALERTS)
        return view.new_rules_message(None if isinstance(former, Invalid) else former, after)


def _policy_of(taken: TakenFile) -> Policy | None:
    """The stored policy, read with the lists of people of that time; None if it is invalid."""
    lists = {name: tuple(taken.people.get(name, ())) for name in ("operators", "approvers")}
    people = PeopleSettings(operators=lists["operators"], approvers=lists["approvers"])
    policy = policy_file.read_policy(taken.content, POLICY, people)
    return None if isinstance(policy, Invalid) else policy


def _is_same(before: TakenFile, after: TakenFile) -> bool:
    lists = [{name: sorted(ids) for name, ids in one.people.items()} for one in (before, after)]
    return before.content == after.content and lists[0] == lists[1]
