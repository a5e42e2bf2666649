"""People as Slack reported them: workspace, members of groups, kind of account. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.views.text import mention
from services.domain.errors import Unavailable
from services.domain.oncall import is_group
from services.domain.people import Person, Profile
from services.domain.text import age

MAX_AGE = timedelta(hours=1)  # older answers about members and accounts count as unknown
FRESH = timedelta(minutes=1)  # a lower age is not shown


@dataclass(frozen=True)
class Members:
    """User ids of a group's members, as read from Slack `age` ago."""

    users: frozenset[str]
    age: timedelta


@dataclass(frozen=True)
class Account:
    """A user's profile, as read from Slack `age` ago."""

    profile: Profile
    age: timedelta = timedelta()


@dataclass(frozen=True)
class Found:
    """Result of looking for a person in a list. `doubt`: " (the members of … are unknown: …)" to append, or empty."""

    is_in: bool
    doubt: str = ""


@dataclass(frozen=True)
class People:
    """Groups and accounts as known at one moment. `workspace`: the bot's team id, None until Slack reported it.

    `groups` holds every group that the policy names, `accounts` every user that was looked up.
    """

    workspace: str | None
    groups: Mapping[str, Members | Unavailable] = field(default_factory=dict)
    accounts: Mapping[str, Account | Unavailable] = field(default_factory=dict)

    def members(self, group: str) -> Members | Unavailable:
        """The members of the group, or the reason why they are unknown."""
        known = self.groups.get(group) or Unavailable("Slack", "they were never read")
        if isinstance(known, Members) and known.age > MAX_AGE:
            return Unavailable("Slack", f"they were last read {age(known.age)} ago, and an hour is the limit")
        return known

    def groups_of(self, user_id: str) -> list[str]:
        """List the groups of which the user is known to be a member."""
        known = {group: self.members(group) for group in self.groups}
        return [group for group, members in known.items() if isinstance(members, Members) and user_id in members.users]

    def find_in(self, user_id: str, listed: Collection[str]) -> Found:
        """Look for the user among these ids of users and groups."""
        if user_id in listed:
            return Found(is_in=True)
        members = {group: self.members(group) for group in sorted(filter(is_group, listed))}
        if any(isinstance(known, Members) and user_id in known.users for known in members.values()):
            return Found(is_in=True)
        doubts = [
            f" (the members of {mention(group)} are unknown: {known.why})"
            for group, known in members.items()
            if isinstance(known, Unavailable)
        ]
        return Found(is_in=False, doubt=next(iter(doubts), ""))

    def account(self, user_id: str) -> Account | Unavailable:
        """The user's account, or the reason why it is unknown."""
        known = self.accounts.get(user_id) or Unavailable("Slack", "they were never looked up")
        if isinstance(known, Account) and known.age > MAX_AGE:
            return Unavailable("Slack", f"last read {age(known.age)} ago, and an hour is the limit")
        return known

    def zone(self, user_id: str) -> ZoneInfo | None:
        """The time zone that the user set in Slack, of any age; None if unknown."""
        known = self.accounts.get(user_id)
        if not isinstance(known, Account) or not known.profile.time_zone:
            return None
        try:
            return ZoneInfo(known.profile.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return None

    def outsider(self, person: Person) -> str | None:
        """Reason why this person gets no answer (other workspace, or unknown), as a clause about "you"; or None."""
        return self._why_foreign_team(person) or self._why_unknown(person) or self._why_foreign_account(person.user_id)

    def stranger(self, person: Person) -> str | None:
        """Reason why this person has no permissions regardless of the policy, as a clause about "you", or None.

        An account that Slack does not report has no permissions.
        """
        if person.is_machine:
            return None  # its token was checked at the door; it has no account
        return self.outsider(person) or self._why_not_member(person.user_id)

    def former(self, person: Person) -> str | None:
        """Like `stranger`, for a person who acted earlier and was looked up then: an unknown account is no reason."""
        return (
            self._why_foreign_team(person)
            or self._why_foreign_account(person.user_id)
            or self._why_not_member(person.user_id)
        )

    def is_barred(self, user_id: str) -> bool:
        """True if the account is known to be of a kind without permissions; False if it is unknown."""
        return bool(self._why_foreign_account(user_id) or self._why_not_member(user_id))

    def is_deactivated(self, user_id: str) -> bool:
        """True if the account is deactivated in Slack; False if it is unknown."""
        known = self.account(user_id)
        return isinstance(known, Account) and known.profile.is_deactivated

    def _why_foreign_team(self, person: Person) -> str | None:
        if self.workspace is None:
            return "Slack has not reported yet which workspace the bot is in"
        return "you belong to another workspace" if person.team_id not in ("", self.workspace) else None

    def _why_unknown(self, person: Person) -> str | None:
        known = self.account(person.user_id)
        if isinstance(known, Unavailable):
            return f"Slack did not return your account ({known.why})"
        if not person.team_id and not known.profile.team_id:
            return "Slack does not report which workspace you belong to"
        return None

    def _why_foreign_account(self, user_id: str) -> str | None:
        known = self.account(user_id)
        if isinstance(known, Unavailable):
            return None
        elsewhere = self.workspace is not None and known.profile.team_id not in ("", self.workspace)
        if elsewhere or known.profile.is_stranger:
            return "you belong to another workspace"
        return "your Slack account is deactivated" if known.profile.is_deactivated else None

    def _why_not_member(self, user_id: str) -> str | None:
        known = self.account(user_id)
        if isinstance(known, Unavailable):
            return None
        if known.profile.is_bot:
            return "bots have no permissions here"
        return "guests of the workspace have no permissions here" if known.profile.is_guest else None
