"""Slack accepts every modal, whatever the run contains."""

from __future__ import annotations

import json

import pytest

from bot.types import Block
from bot.views import modals
from bot.views.modals import Choice
from services.sandbox.slack.limits import violations

HOSTILE = "<!channel> `x` " + "y" * 5000
METADATA = {"run": 12, "channel": "C0INCIDENTS", "thread": "1.2"}


@pytest.mark.parametrize(
    "modal",
    [
        modals.loading_modal("Deny the request"),
        modals.failed_modal("Deny the request", "no answer within 5 s"),
        modals.deny_modal(METADATA),
        modals.target_modal("api", [Choice("8d02b64e", HOSTILE, HOSTILE)] * 150, METADATA),
        modals.stop_workers_modal("workers", METADATA),
    ],
    ids=lambda modal: modal["title"]["text"],
)
def test_slack_takes_it(modal: Block) -> None:
    assert list(violations(modal, surface="modal")) == []


def test_a_modals_metadata_comes_back_with_its_submission() -> None:
    assert json.loads(modals.deny_modal(METADATA)["private_metadata"]) == METADATA


def test_the_best_candidate_is_chosen_already() -> None:
    modal = modals.target_modal("api", [Choice("8d02b64e", "8d02b64e", "served 6 d"), Choice("x", "x")], METADATA)

    select = modal["blocks"][0]["element"]
    assert select["initial_option"]["value"] == "8d02b64e"
    assert select["initial_option"]["description"]["text"] == "served 6 d"
