"""Who a Slack user is, as far as their rights go: the workspace, and the kind of account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """A user as Slack's `users.info` describes them. `team_id`: empty where Slack did not say.

    is_guest: a single- or multi-channel guest. is_stranger: somebody from another company.
    """

    team_id: str = ""
    is_bot: bool = False
    is_deactivated: bool = False
    is_guest: bool = False
    is_stranger: bool = False
