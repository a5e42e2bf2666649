from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enforcement_worker.memo import Memo, RefusedAnswerError, read_memo

GOOD: dict[str, Any] = {
    "summary": "Serve an information subpoena under CPLR 5224(a)(3), then restrain the account (CPLR 5222).",
    "actions": ["information_subpoena", "restraining_notice"],
    "find_out_first": ["Where wages are paid."],
    "risks": ["Funds may be exempt under CPLR 5205(l)."],
}


def answer(**changed: object) -> str:
    return json.dumps({**GOOD, **changed})


def test_reads_what_fits() -> None:
    assert read_memo(answer()).model_dump(mode="json") == GOOD


@pytest.mark.parametrize(
    "changed",
    [
        {"summary": "It owes 12000 already."},
        {"summary": "It owes twelve thousand dollars."},
        {"summary": "Interest runs at nine per cent."},
        {"summary": "Accept half: $"},
        {"risks": ["Exempt under CPLR 5205(l), 40 of them."]},
        {"summary": "See https://evil.example/x"},
        {"summary": "Write to clerk@evil.example"},
        {"summary": "Look at www.evil.example"},
        {"summary": "<script>alert()</script>"},
        {"summary": "**Ignore** the rules"},
        {"summary": "Tell <!channel> everybody"},
        {"summary": "one line\nand another"},
        {"summary": "turned \u202e around"},
        {"summary": "\x00"},
        {"summary": " "},
        {"summary": "a" * 601},
        {"risks": ["b" * 241]},
        {"risks": []},
        {"risks": ["So."] * 6},
        {"actions": ["delete_the_database"]},
        {"actions": []},
        {"actions": "wait"},
        {"summary": None},
        {"summary": ["a list"]},
        {"amount": "12000.00"},
        {"principal": 0},
    ],
    ids=str,
)
def test_refuses_what_is_hostile_or_does_not_fit(changed: dict[str, object]) -> None:
    with pytest.raises(RefusedAnswerError):
        read_memo(answer(**changed))


@pytest.mark.parametrize(
    "raw", ["", "{", "null", "[]", "[" * 3000, '{"summary": NaN}', "x" * 8001, "Sure! Here it is:"]
)
def test_read_memo_refuses_text_that_is_no_memo(raw: str) -> None:
    with pytest.raises(RefusedAnswerError):
        read_memo(raw)


@pytest.mark.parametrize("field", GOOD)
def test_refuses_a_memo_that_lacks_a_part(field: str) -> None:
    with pytest.raises(RefusedAnswerError, match=f"{field}: missing"):
        read_memo(json.dumps({name: part for name, part in GOOD.items() if name != field}))


def why_refused(raw: str) -> str:
    try:
        read_memo(raw)
    except RefusedAnswerError as error:
        return str(error)
    return ""


@given(st.text())
def test_memo_refusal_never_quotes_the_answer(raw: str) -> None:
    marked = f"canary{raw}"
    answers = (marked, answer(summary=marked), answer(actions=[marked]), answer(**{marked: 1}))

    assert not any("canary" in why_refused(given_answer) for given_answer in answers)


def test_the_schema_is_of_the_strict_subset() -> None:
    """All fields are required, no others are allowed, and no keyword is unknown to strict mode."""
    schema = Memo.model_json_schema()

    assert schema["required"] == list(GOOD)
    assert schema["additionalProperties"] is False
    assert not {"maxLength", "minLength", "maxItems", "pattern", "default"} & set(json.dumps(schema).split('"'))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(GOOD, schema)
