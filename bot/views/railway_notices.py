"""Messages on events of Railway's webhook other than deployments. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bot.types import Block
from bot.views.blocks import actions, command_button, context, fit_message, section
from bot.views.text import code, escape
from services.domain.services import Service
from services.domain.text import counted


class NoticeKind(Enum):
    """Kinds of events with sign and words; `{}` is replaced by the place."""

    OUT_OF_MEMORY = ("💥", "Railway reports that {} was killed because it ran out of memory")
    VOLUME_FILLS = ("⚠️", "Railway reports that a volume of {} is filling up")
    VOLUME_HAS_ROOM = ("✅", "Railway reports that the volume alert of {} is resolved")
    MONITOR_FIRES = ("⚠️", "Railway reports that a monitor of {} was triggered")
    MONITOR_RESOLVED = ("✅", "Railway reports that a monitor of {} is resolved")
    MONITOR_DELETED = ("i", "Railway reports that a monitor of {} was deleted")
    UNKNOWN = ("❔", "Railway sent an event about {} that this bot does not know")


@dataclass(frozen=True)
class RailwayNotice:
    """An event of Railway's webhook. Texts are masked but not escaped; empty if Railway sent none. `name`: the event's
    name. `service`: the operated service it is about, if known. `details`: (name, value) pairs."""

    kind: NoticeKind
    name: str
    service: Service | None
    where: str
    severity: str
    at: str
    details: tuple[tuple[str, str], ...] = ()

    @property
    def is_known(self) -> bool:
        return self.kind is not NoticeKind.UNKNOWN


def more_notices_message(count: int, *, is_known: bool) -> tuple[str, list[Block]]:
    """One message for the rest, once there were too many events in one hour."""
    which = "" if is_known else " that this bot does not know"
    line = f"… {counted(count, 'more event')} from Railway{which} within the hour: not shown. Look in Railway."
    return fit_message(line, [section(line)])


def notice_message(notice: RailwayNotice) -> tuple[str, list[Block]]:
    """The event, its details, and buttons to look further."""
    sign, words = notice.kind.value
    where = f"*{notice.service.short}*" if notice.service else escape(notice.where)
    if not where and not notice.is_known:
        words = "Railway sent an event that this bot does not know"
    line = f"{sign} {words.format(where or 'an unknown service')}".removeprefix("i ")
    values = [f"{escape(name)}: {code(value)}" for name, value in notice.details]
    blocks = [section(line), *([section("\n".join(values))] if values else [])]
    if notice.service is not None:
        short = notice.service.short
        blocks += actions([command_button("History", f"history 6h {short}"), command_button("Logs", f"logs {short}")])
    known = [code(notice.name), *([f"severity {escape(notice.severity)}"] if notice.severity else [])]
    known += [escape(notice.at)] if notice.at else []
    blocks.append(context(" · ".join(known), "from Railway's webhook, which is unsigned: nothing was decided by it"))
    return fit_message(line, blocks)
