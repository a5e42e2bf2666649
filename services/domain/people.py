"""The people and machines that act: in Slack, by token, or in another system; and their Slack accounts."""

from __future__ import annotations

from dataclasses import dataclass

OUTSIDE = "outside"  # in place of a Slack team's id


@dataclass(frozen=True)
class Person:
    """A person in Slack, as the signed payload names them, or a person or machine of another system (`outsider`)."""

    user_id: str
    team_id: str

    @property
    def is_in_slack(self) -> bool:
        return outside_name(self.user_id) is None

    @property
    def is_machine(self) -> bool:
        """True for a machine, known by its token (`outsider("machine", name)`): no Slack id has a colon."""
        return self.team_id == OUTSIDE and self.user_id.startswith("machine:")


def outsider(system: str, name: str) -> Person:
    """A person without a known Slack account, as another system names them ("PagerDuty", "Ann Keller")."""
    return Person(f"{system}:{name}", OUTSIDE)


def outside_name(user_id: str) -> str | None:
    """ "Ann Keller (PagerDuty)" for an outsider's id; None for a Slack id."""
    system, separator, name = user_id.partition(":")
    return f"{name} ({system})" if separator else None


@dataclass(frozen=True)
class Profile:
    """A user as Slack's `users.info` describes them. `team_id`: empty if Slack did not report it.

    is_guest: a single- or multi-channel guest. is_stranger: a person from another company. time_zone: as set in Slack
    ("Europe/Berlin"), empty if Slack did not report it.
    """

    team_id: str = ""
    is_bot: bool = False
    is_deactivated: bool = False
    is_guest: bool = False
    is_stranger: bool = False
    time_zone: str = ""
