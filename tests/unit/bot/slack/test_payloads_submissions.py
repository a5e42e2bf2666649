"""A modal's input is read and checked without any call, because Slack waits for the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.slack.payloads import CONFIRMED, Submission, find_mistakes, read_metadata, read_submission, view_to_look_at
from bot.views.modals import ANSWER, APPROVE_TYPED, CHOOSE_TARGET, DENY, PRESET, STOP_WORKERS, resolve_modal
from services.sandbox.slack.limits import violations


def view(kind: str, metadata: object, values: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"callback_id": kind, "private_metadata": json.dumps(metadata), "state": {"values": values or {}}}


def typed(text: str | None) -> dict[str, Any]:
    return {ANSWER: {ANSWER: {"type": "plain_text_input", "value": text}}}


def test_the_reason_of_a_denial_is_read_with_its_run() -> None:
    submission = read_submission(view(DENY, {"run": 12, "channel": "C1"}, typed("not now")))

    assert submission == Submission(DENY, {"run": 12, "channel": "C1"}, "not now")
    assert submission.run_id == 12


def test_a_preset_comes_before_the_own_words() -> None:
    chosen = {PRESET: {PRESET: {"type": "radio_buttons", "selected_option": {"value": "Wrong amounts"}}}}

    submission = read_submission(view(STOP_WORKERS, {"service": "workers"}, {**chosen, **typed("doubled rows")}))

    assert submission is not None
    assert submission.reason == "Wrong amounts: doubled rows"


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        view("other", {"run": 12}),
        view(DENY, {}),
        view(DENY, [12]),
        view(CHOOSE_TARGET, {"run": 12}),
        {"callback_id": DENY, "private_metadata": "{"},
    ],
)
def test_a_modal_that_is_none_of_ours_does_nothing(damaged: dict[str, Any]) -> None:
    assert read_submission(damaged) is None


@pytest.mark.parametrize("text", ["", "   ", None])
def test_a_denial_needs_a_reason(text: str | None) -> None:
    submission = read_submission(view(DENY, {"run": 12}, typed(text)))

    assert submission is not None
    assert list(find_mistakes(submission)) == [ANSWER]


@pytest.mark.parametrize(
    ("text", "fine"), [("rollback-db 1 prod", True), ("rollback-db  1 prod ", True), ("yes", False)]
)
def test_something_critical_needs_its_name_typed(text: str, fine: bool) -> None:
    submission = read_submission(view(APPROVE_TYPED, {"run": 12, "phrase": "rollback-db 1 prod"}, typed(text)))

    assert submission is not None
    assert (find_mistakes(submission) == {}) is fine


def test_metadata_of_others_is_not_trusted() -> None:
    assert read_metadata({"private_metadata": "not json"}) == {}
    assert read_metadata({}) == {}


def resolving(text: str, **metadata: object) -> tuple[dict[str, Any], Submission]:
    """A modal as Slack sends it back."""
    opened = resolve_modal(7, {"channel": "C1", **metadata})
    sent = {**opened, "id": "V1", "hash": "x", "state": {"values": typed(text)}}
    submission = read_submission(sent)
    assert submission is not None
    return sent, submission


def test_resolve_modal_shows_the_masked_cause_before_it_is_stored() -> None:
    again = view_to_look_at(*resolving("the plaintiff Jane Roe owes $12"))

    assert again is not None
    note, ask = again["blocks"]
    assert "the plaintiff … owes …" in note["text"]["text"]
    assert ask["element"]["initial_value"] == "the plaintiff Jane Roe owes $12"
    assert "hash" not in again
    assert list(violations(again, surface="modal", method="views.update")) == []


def test_words_that_are_masked_are_shown_before_they_are_stored_and_again_when_they_change() -> None:
    first = view_to_look_at(*resolving("the plaintiff Jane Roe owes $12"))
    assert first is not None
    seen = json.loads(first["private_metadata"])

    assert view_to_look_at(*resolving("the plaintiff Jane Roe owes $12", **seen)) is None
    other = view_to_look_at(*resolving("defendant Jane Roe owes $12 now", **seen))
    assert other is not None
    assert [block.get("block_id") for block in other["blocks"]].count(CONFIRMED) == 1


def test_plain_words_are_kept_at_once() -> None:
    assert view_to_look_at(*resolving("the pool was too small &amp; full")) is None


def test_an_emergency_stop_does_not_wait_for_a_second_look() -> None:
    sent = view(STOP_WORKERS, {"service": "workers"}, typed("defendant Jane Roe"))
    submission = read_submission(sent)

    assert submission is not None
    assert view_to_look_at({**sent, "blocks": []}, submission) is None
