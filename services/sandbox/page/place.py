"""Who looks at the page, and at what: kept in the address, so that each browser tab can be another person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from services.sandbox.slack import cast
from services.sandbox.slack.model import User
from services.sandbox.slack.workspace import Workspace

HOME = "home"
PAGE_OF_MESSAGES = 100  # shown at first; each "Show earlier messages" adds as many


@dataclass(frozen=True)
class Place:
    """`channel_id` is a channel, a direct message or `home`; `thread_ts` names the thread that is open beside it."""

    viewer: User
    channel_id: str
    thread_ts: str | None = None
    limit: int = PAGE_OF_MESSAGES
    incidents = cast.INCIDENTS_ID

    def link(self, **changes: str | int | None) -> str:
        """The address of this place with something changed; `thread=None` closes the thread."""
        values = {"as": self.viewer.id, "in": self.channel_id, "thread": self.thread_ts, "limit": None} | changes
        return "/?" + urlencode({name: value for name, value in values.items() if value is not None})

    @property
    def query(self) -> str:
        """What a fragment's address carries, so that it shows the same place."""
        values = {"as": self.viewer.id, "in": self.channel_id, "thread": self.thread_ts, "limit": self.limit}
        return urlencode({name: value for name, value in values.items() if value is not None})


def read_place(workspace: Workspace, query: Mapping[str, str]) -> Place:
    """The place an address names; what it names wrongly becomes the first person and the incidents channel."""
    people = {user.id: user for user in workspace.people}
    viewer = people.get(query.get("as", ""), workspace.people[0])
    limit = query.get("limit", "")
    return Place(
        viewer,
        _channel_id(workspace, viewer, query.get("in", "")),
        query.get("thread") or None,
        max(int(limit), PAGE_OF_MESSAGES) if limit.isdecimal() and len(limit) < 6 else PAGE_OF_MESSAGES,
    )


def _channel_id(workspace: Workspace, viewer: User, wanted: str) -> str:
    """Somebody else's direct message becomes one's own: that is what a switch of the person means there."""
    if wanted == HOME:
        return HOME
    channel = workspace.find_channel(wanted) if wanted else None
    if channel is None:
        return workspace.direct_channel(viewer.id).id if wanted.startswith("D") else cast.INCIDENTS_ID
    return workspace.direct_channel(viewer.id).id if channel.im_user else channel.id
