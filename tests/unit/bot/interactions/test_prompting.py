"""Only a stop without a reason opens a modal."""

import pytest

from bot.commands._contract import Surface
from bot.interactions.prompting import prompt_for


@pytest.mark.parametrize(
    ("line", "service"), [("stop-workers", "workers"), ("stop-workers ingest", "ingest"), ("Stop workers", "workers")]
)
def test_a_stop_without_a_reason_is_asked_for_one(line: str, service: str) -> None:
    modal = prompt_for(line, Surface.SLASH, channel="C1")

    assert modal is not None
    assert service in modal["blocks"][0]["text"]["text"]


@pytest.mark.parametrize(
    "line",
    ["", "health", "stop-workers ingest wrong amounts", "stop-workers --dry-run", "stop-workers api", "stopworkers"],
)
def test_nothing_else_opens_a_modal(line: str) -> None:
    assert prompt_for(line, Surface.SLASH, channel="C1") is None
