"""*Acknowledge* on the message of an absent database: it works without that database."""

from __future__ import annotations

from bot.commands._needs import need_room
from bot.incidents.room import Room
from bot.outage.post import Outage
from bot.slack_edge.answering import deliver
from bot.slack_edge.asker import Asker
from bot.slack_edge.gate import App
from bot.slack_edge.handling import Body, DoOnce
from bot.views.oncall import notice_answer
from bot.views.outage import ACKNOWLEDGE, OUTAGE_ACKNOWLEDGED
from services.slack.client import SlackClient


class OutageEdge:
    """Rights are those of incidents: who is in the lists is known without the database."""

    def __init__(self, *, slack: SlackClient, room: Room | None, outage: Outage | None, do_once: DoOnce) -> None:
        self._slack = slack
        self._room = room
        self._outage = outage
        self._do_once = do_once

    def register(self, app: App) -> None:
        """Before the listeners that match everything."""
        app.action(ACKNOWLEDGE)(self.on_acknowledge)

    async def on_acknowledge(self, body: Body) -> None:
        await self._do_once(body, self._acknowledge)

    async def _acknowledge(self, asker: Asker, key: str | None) -> None:
        await need_room(self._room).refuse_early(asker.request)
        if self._outage is not None:
            await self._outage.acknowledge(asker.actor.user_id)
            await deliver(self._slack, notice_answer(OUTAGE_ACKNOWLEDGED), asker, key=key)
