"""The API for machines, at the wire: permitted callers, the audit log, and that nothing changes without people."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.admission import AUDIT_EVERY_S, AUDIT_ROWS_PER_PERSON, Rate
from bot.app import Bot
from bot.machines.catalogue import ARGUMENTS_LIMIT
from bot.machines.door import Call
from services.sandbox.slack import model
from tests.conftest import DatabaseUrls
from tests.fuzzed_calls import fuzzed_call
from tests.integration.bot.conftest import System
from tests.integration.bot.running.conftest import Slack, StartBot, StartWhole
from tests.outside import PATIENCE_S
from tests.wire import Wire

TOKEN = "ci-token-of-the-tests-0123456789abcdef"
OTHER = "laptop-token-of-the-tests-0123456789ab"
POLICY = """
version = 1
expires_after_s = 900
[[allow]]
may = "request"
who = ["operators"]
[[allow]]
may = "approve"
who = ["approvers"]
[[allow]]
may = "request"
who = ["machine:ci"]
verbs = ["read", "ask", "deploy", "scale", "restart", "rollback", "redeploy", "requeue"]
"""
PEOPLE = {"DRAGONFLY_OPERATORS": model.OPERATORS.id, "DRAGONFLY_APPROVERS": model.APPROVERS.id}
FUZZED = 60
DECIDED = ("run_decisions", "reviews", "silences", "drills", "oncall_overrides", "service_locks", "lone_starts")


@dataclass
class Door:
    """The API's address and a client with the token of a machine that the policy allows something."""

    url: str
    client: httpx.AsyncClient

    async def call(self, verb: str, arguments: str = "", *, token: str = TOKEN, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.post(self.url, json={"verb": verb, "arguments": arguments, **more}, headers=headers)


def variables(tmp_path: Path, policy: str = POLICY) -> dict[str, str]:
    path = tmp_path / "policy.toml"
    path.write_text(policy)
    return {
        "DRAGONFLY_POLICY": str(path),
        "MACHINE_TOKENS": f"ci={TOKEN}, laptop={OTHER}",
    }


def door_of(bot: Bot, client: httpx.AsyncClient) -> Door:
    return Door(f"http://127.0.0.1:{bot.web.port}/machines", client)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
async def door(start_bot: StartBot, database_urls: DatabaseUrls, tmp_path: Path, client: httpx.AsyncClient) -> Door:
    return door_of(await start_bot(database_urls.bot, **PEOPLE, **variables(tmp_path)), client)


def calls_of(system: System) -> list[tuple[str, Mapping[str, Any]]]:
    rows = system.conn.execute("SELECT actor, details FROM chatops.audit WHERE event = 'machine.call' ORDER BY seq")
    return [(row[0], row[1]) for row in rows.fetchall()]


async def test_a_read_is_answered_as_text_and_as_data_and_is_an_audit_row(door: Door, system: System) -> None:
    answer = await door.call("queue")

    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] in ("ok", "warn", "fail", "unknown")
    assert body["text"]
    assert body["run"] is None
    [(actor, details)] = calls_of(system)
    assert (actor, details["verb"], details["refused"]) == ("machine:ci", "queue", None)


async def test_a_call_that_cannot_be_stored_is_cleaned_and_recorded(door: Door, system: System) -> None:
    """Otherwise the count of such calls, which is written later, would fail again each minute."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for broken in (b"\\u0000", b"\\ud83d"):
        body = b'{"verb": "lo%sgs", "arguments": "api"}' % broken
        assert (await door.client.post(door.url, content=body, headers=headers)).status_code == 400

    [(_, details)] = calls_of(system)
    assert details["verb"] == "lo\ufffdgs"


async def test_a_secret_given_as_a_verb_is_not_recorded(
    start_bot: StartBot, database_urls: DatabaseUrls, tmp_path: Path, client: httpx.AsyncClient, system: System
) -> None:
    """Neither in the row of the call nor in that of its repetitions, which is written at the end."""
    bot = await start_bot(database_urls.bot, **PEOPLE, **variables(tmp_path))
    door = door_of(bot, client)
    for _ in range(2):
        assert (await door.call("sk-live-0123456789abcdef0123")).status_code == 400
    await bot.stop()

    [(_, details)] = calls_of(system)
    [held_back] = system.conn.execute("SELECT details FROM chatops.audit WHERE event = 'audit.held_back'").fetchall()
    assert held_back[0]["times"] == 1
    assert "0123456789" not in f"{details} {held_back}"


async def test_without_its_token_nothing_is_answered(door: Door, system: System) -> None:
    for token in ("x", "wrong", TOKEN[:-1], f"{TOKEN}x", "ci"):
        assert (await door.call("queue", token=token)).status_code == 401
    assert (await door.client.post(door.url, json={"verb": "queue"})).status_code == 401
    assert not calls_of(system)


async def test_a_machine_that_no_rule_names_may_nothing_and_the_refusal_is_recorded(door: Door, system: System) -> None:
    refused = [await door.call(verb, "api 8d02b64e", token=OTHER) for verb in ("queue", "ask", "deploy")]

    assert [one.status_code for one in refused] == [403, 403, 403]
    assert "permission" in refused[0].text
    assert [(actor, bool(details["refused"])) for actor, details in calls_of(system)] == [("machine:laptop", True)] * 3


async def test_machine_without_ask_gets_no_answer_to_a_question(
    start_bot: StartBot, database_urls: DatabaseUrls, tmp_path: Path, client: httpx.AsyncClient
) -> None:
    policy = POLICY.replace('"read", "ask", ', '"read", ')
    door = door_of(await start_bot(database_urls.bot, **PEOPLE, **variables(tmp_path, policy)), client)

    answers = [
        await door.call("queue", "why is the queue so long?"),
        await door.call("ask", "why is the queue so long?"),
    ]

    assert [one.status_code for one in answers] == [400, 403]


async def test_a_body_that_is_no_call_is_refused(door: Door) -> None:
    more = (b'{"verb": 1}', b'{"verb": "queue", "more": 1}', b'{"verb": "queue", "request_id": "a b"}')
    for body in (b"", b"{", b"[]", *more):
        answer = await door.client.post(door.url, content=body, headers={"Authorization": f"Bearer {TOKEN}"})

        assert answer.status_code == 400


async def test_machine_is_refused_commands_of_people(door: Door) -> None:
    for verb, arguments in (
        ("stop-workers", "ingest"),
        ("approve", "1"),
        ("incident", "resolve 1 over"),
        ("env", "api"),
    ):
        answer = await door.call(verb, arguments)

        assert answer.status_code == 400
        assert answer.json()["data"]["error"]["what"] == "Nothing was run"


async def test_a_change_waits_in_slack_for_one_person_more_than_a_person_needs(
    start_whole: StartWhole, slack: Slack, system: System, wire: Wire, tmp_path: Path, client: httpx.AsyncClient
) -> None:
    system.work()
    door = door_of(await start_whole(**variables(tmp_path)), client)

    answer = await door.call("scale", "ingest 2", request_id="github-1-1")
    again = await door.call("scale", "ingest 2", request_id="github-1-1")

    run = answer.json()["run"]
    assert (answer.status_code, run["state"], run["proved"]) == (200, "awaiting_approval", False)
    assert again.json()["run"]["id"] == run["id"]
    message = await slack.wait_for(lambda message: "ci (machine)" in message.text + str(message.blocks))
    assert "1 approval" in str(message.blocks) or "approve" in str(message.blocks)
    link = f"/archives/{message.channel}/p{message.ts.replace('.', '')}"
    async with asyncio.timeout(PATIENCE_S):  # the bot stores the message's ts a moment after people see it
        while not (await door.call("run", str(run["id"]))).json()["run"]["link"].endswith(link):
            await asyncio.sleep(0.05)
    row = system.conn.execute("SELECT requested_by_user, approvals_needed, state FROM chatops.runs").fetchall()
    assert [tuple(one) for one in row] == [("machine:ci", 1, "awaiting_approval")]
    assert not [call.name for call in wire.calls if call.is_mutation]

    other = (await door.call("scale", "enforcement 2", request_id="github-1-1")).json()["run"]
    assert other["id"] != run["id"], "the same id with other words is another request"


async def test_changes_are_counted_on_all_replicas_together_and_reads_are_not(
    start_whole: StartWhole, start_bot: StartBot, database_urls: DatabaseUrls, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Otherwise each replica would let the full number of requests reach people."""
    first = door_of(await start_whole(**variables(tmp_path)), client)
    second = door_of(await start_bot(database_urls.bot, **PEOPLE, **variables(tmp_path)), client)
    spent = [(await one.call("scale", "ingest 2")).status_code for one in (first, second) for _ in range(6)]

    assert spent.count(429) == 2, spent
    assert set(spent[:10]) <= {200, 409}
    assert (await second.call("queue")).status_code == 200
    refused = await first.call("scale", "ingest 2")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert "Nothing was filed" in refused.text


async def test_fuzzed_calls_change_nothing_but_the_record(
    start_whole: StartWhole, system: System, wire: Wire, tmp_path: Path
) -> None:
    """`FUZZED_CALLS=10000` for the whole proof; the catalog's own test always takes that many."""
    system.work()
    bot = await start_whole(**variables(tmp_path))
    assert bot.wiring is not None
    machine_door, rng = bot.make_machine_door(bot.wiring), random.Random(3)  # noqa: S311 - the same calls each time
    machine_door.changes = Rate(1_000_000, 0.001)
    before, asked = contents(system), len(calls_of(system))
    statuses: Counter[int] = Counter()
    began = time.monotonic()

    for _ in range(count := int(os.environ.get("FUZZED_CALLS", FUZZED))):
        verb, arguments = fuzzed_call(rng)
        reply = await machine_door.answer("ci", Call(verb=verb[:40], arguments=arguments[: 2 * ARGUMENTS_LIMIT]))
        statuses[reply.status] += 1

    assert statuses.keys() <= {200, 400, 403, 409, 503}
    assert statuses[200] >= count / 20
    minutes = 2 + (time.monotonic() - began) // AUDIT_EVERY_S
    recorded = [details["refused"] for _, details in calls_of(system)[asked:]]
    assert recorded.count(None) >= count - statuses[400] - statuses[403], "whatever was run is a row"
    assert len(recorded) - recorded.count(None) <= AUDIT_ROWS_PER_PERSON * minutes, "a flood of refusals is not"
    assert contents(system) == before
    assert [call.name for call in wire.calls if call.is_mutation] == []


def contents(system: System) -> dict[str, list[Any]]:
    """Return all rows of the operated system and of the tables that people's decisions change; not the audit log, nor
    the bot's own state."""
    beating = "worker_heartbeats"  # the local Railway's workers write to it
    query = f"SELECT tablename FROM pg_tables WHERE schemaname = 'ops' AND tablename <> '{beating}'"  # noqa: S608
    names = system.conn.execute(query).fetchall()
    tables = [f"ops.{name}" for (name,) in names] + [f"chatops.{name}" for name in DECIDED]
    queries = {name: f"SELECT t::text FROM {name} t ORDER BY 1" for name in tables}  # noqa: S608 - our own names
    waiting = "('awaiting_approval', 'expired', 'voided')"
    queries["started"] = f"SELECT id, state FROM chatops.runs WHERE state NOT IN {waiting}"  # noqa: S608
    queries["opened"] = "SELECT id FROM chatops.incidents WHERE opened_by_user IS NOT NULL"
    return {name: system.conn.execute(query).fetchall() for name, query in queries.items()}
