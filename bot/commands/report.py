"""`report [7d|30d|90d] [service]`: numbers on incidents, pages, noise, approvals and deployments."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bot.commands.arguments import parse_window_and_service
from bot.reports import WEEK, read_report
from bot.types import Answer, Request
from bot.views.findings import unavailable_answer
from bot.views.reports import report_answer
from services.domain.errors import Unavailable
from services.domain.oncall import Schedule, zone_of

if TYPE_CHECKING:
    from bot.world import World

LARGEST = timedelta(days=90)  # alerts are kept for 90 days


async def answer_report(request: Request, world: World) -> Answer:
    window, service = parse_window_and_service(request.words, default=WEEK, largest=LARGEST)
    environment = world.settings.environment
    if environment is None:
        return unavailable_answer("report", Unavailable("settings", "ENVIRONMENT is not set"))
    schedule = world.schedule if isinstance(world.schedule, Schedule) else None
    zone = zone_of(schedule)
    found = await world.read(read_report, environment=environment, window=window, zone=zone, service=service)
    if isinstance(found, Unavailable):
        return unavailable_answer("report", found)
    return report_answer(found, environment=environment)
