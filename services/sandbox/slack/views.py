"""Modals, stacked per person as Slack stacks them, and each person's Home tab."""

import secrets
from collections import defaultdict

from services.sandbox.slack.messages import Change, ChangeKind, Changes
from services.sandbox.slack.model import Json, View

MAX_STACK = 3


class ViewStore:
    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._stacks: dict[str, list[View]] = defaultdict(list)
        self._homes: dict[str, View] = {}

    def top_for(self, user: str) -> View | None:
        """The modal in front of this person, if any."""
        stack = self._stacks.get(user)
        return stack[-1] if stack else None

    def stack_for(self, user: str) -> list[View]:
        return list(self._stacks.get(user, ()))

    def home_for(self, user: str) -> View | None:
        return self._homes.get(user)

    @property
    def homes(self) -> dict[str, View]:
        return self._homes

    def find(self, view_id: str) -> View | None:
        open_views = [view for stack in self._stacks.values() for view in stack]
        return next((view for view in [*open_views, *self._homes.values()] if view.id == view_id), None)

    def find_external(self, external_id: str) -> View | None:
        views = [view for stack in self._stacks.values() for view in stack]
        return next((view for view in views if view.content.get("external_id") == external_id), None)

    def open(self, user: str, content: Json) -> View:
        """Show a modal instead of whatever this person had open."""
        view_id = new_view_id()
        view = View(view_id, user, new_hash(), content, root_id=view_id)
        self._stacks[user] = [view]
        self._tell(view)
        return view

    def push(self, user: str, content: Json) -> View | None:
        """Lay a modal over this person's; None when the stack is full."""
        stack = self._stacks[user]
        if not stack:
            return self.open(user, content)
        if len(stack) >= MAX_STACK:
            return None
        view = View(new_view_id(), user, new_hash(), content, root_id=stack[0].id, previous_id=stack[-1].id)
        stack.append(view)
        self._tell(view)
        return view

    def update(self, view: View, content: Json) -> None:
        """Replace the content. What was typed stays in inputs whose block and action ids stay."""
        view.content = content
        view.hash = new_hash()
        view.errors = {}
        self._tell(view)

    def refuse(self, view: View, errors: dict[str, str]) -> None:
        view.errors = errors
        self._tell(view)

    def pop(self, view: View) -> None:
        stack = self._stacks[view.user]
        if view in stack:
            del stack[stack.index(view) :]
        self._tell(view)

    def clear(self, user: str) -> list[View]:
        """Close all modals of a person; returns them, front first."""
        closed = self._stacks.pop(user, [])[::-1]
        for view in closed[:1]:
            self._tell(view)
        return closed

    def publish(self, user: str, content: Json) -> View:
        view = self._homes.get(user)
        if view is None:
            view_id = new_view_id()
            view = self._homes[user] = View(view_id, user, new_hash(), content, root_id=view_id)
        view.content, view.hash = content, new_hash()
        self._changes.publish(Change(ChangeKind.HOME, user=user))
        return view

    def _tell(self, view: View) -> None:
        self._changes.publish(Change(ChangeKind.VIEW, user=view.user))


def new_view_id() -> str:
    return "V" + secrets.token_hex(5).upper()


def new_hash() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}"
