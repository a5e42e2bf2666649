"""Every step has its words."""

import typing
from dataclasses import fields
from typing import Any

import pytest

from bot.views.steps import step_words, stored_step_words
from playbooks._steps import STEPS, DeployCommit, ScaleService, Step, VerifyHeartbeats, encode_step
from services.domain.services import Service

VALUES: dict[Any, Any] = {
    int: 3,
    str: "8d02b64e" * 5,
    str | None: "8d02b64e",
    Service: Service.INGEST,
    tuple[Service, ...]: (Service.INGEST,),
    tuple[str, ...]: ("a", "b"),
}


def example(kind: type[Step]) -> Step:
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {field.name: VALUES[hints[field.name]] for field in fields(kind)}
    return kind(**values)


@pytest.mark.parametrize("kind", STEPS.values(), ids=STEPS.keys())
def test_each_step_says_what_it_does(kind: type[Step]) -> None:
    words = step_words(example(kind))

    assert words[0].isupper()
    assert "None" not in words
    assert len(words) < 120


def test_numbers_are_from_and_to() -> None:
    assert step_words(ScaleService(Service.INGEST, 1, 2)) == "Set ingest from 1 to 2 replicas"


@pytest.mark.parametrize(("expected", "words"), [(1, "1 worker of ingest beats"), (2, "2 workers of ingest beat")])
def test_one_worker_beats(expected: int, words: str) -> None:
    assert step_words(VerifyHeartbeats(Service.INGEST, expected, 60)) == f"Prove that {words}"


def test_a_stored_step_says_the_same() -> None:
    step = DeployCommit(Service.API, "8d02b64e" * 5, None)

    assert stored_step_words(encode_step(step)) == "Build and deploy 8d02b64e to api"


def test_a_step_of_a_newer_version_is_called_by_its_kind() -> None:
    assert stored_step_words({"kind": "PaintService"}) == "PaintService (a newer version of the bot knows it)"
