"""Keeps what people would miss after a restart: messages, threads and Home tabs, in one JSON file."""

import asyncio
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

from services.sandbox.slack.model import Json, Message, View

if TYPE_CHECKING:
    from services.sandbox.slack.workspace import Workspace

SAVE_AT_MOST_EVERY_S = 1.0
FILE_NAME = "slack.json"


class SavedWorkspace:
    def __init__(self, directory: Path, workspace: "Workspace") -> None:
        self._path = directory / FILE_NAME
        self._workspace = workspace

    def restore(self) -> None:
        """Read the file, if there is one. What this version does not know is left out."""
        if not self._path.exists():
            return
        try:
            self._restore(json.loads(self._path.read_text()))
        except (ValueError, KeyError, TypeError):
            self._path.replace(self._path.with_suffix(".damaged"))  # a demo starts empty rather than not at all

    def _restore(self, saved: Json) -> None:
        known = {field.name for field in fields(Message)}
        for values in saved["messages"]:
            message = Message(**{key: value for key, value in values.items() if key in known})
            if message.channel.startswith("D"):
                self._workspace.direct_channel("U" + message.channel[1:])
            self._workspace.messages.restore(message)
            self._workspace.continue_after(message.ts)
        for values in saved["homes"]:
            self._workspace.views.homes[values["user"]] = View(**values)

    async def keep_saving(self) -> None:
        """Save shortly after each change, many changes at once."""
        with self._workspace.subscribe() as changes:
            async for _ in changes:
                await asyncio.sleep(SAVE_AT_MOST_EVERY_S)
                changes.clear()
                await self.save()

    async def save(self) -> None:
        """Write beside the file and rename, so that a crash leaves the old or the new one."""
        await asyncio.to_thread(self._write, self._snapshot())

    def _snapshot(self) -> Json:
        """Lasting messages only: an ephemeral one is gone after a reload in real Slack too."""
        messages = [dict(vars(message)) for message in self._workspace.messages if message.visible_to is None]
        return {"messages": messages, "homes": [asdict(view) for view in self._workspace.views.homes.values()]}

    def _write(self, snapshot: Json) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(snapshot))
        beside.replace(self._path)
