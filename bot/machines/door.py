"""`POST /machines`: runs one command for a machine with a token. Each call is audited before anything is read.

A read needs the policy's `read`, a question `ask`, a change its own verb; everything else is refused. A change is
filed and waits in Slack. It needs one approval more than a person's, because a token does not show who uses it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from bot.admission import Rate, times
from bot.approvals.access import Refused, judge_anywhere
from bot.changes import Change
from bot.commands.context import need_database
from bot.commands.dispatch import run_words
from bot.config.connections import Machine
from bot.config.policy import MACHINE, Policy, Right, Target
from bot.machines.catalogue import ARGUMENTS_LIMIT, parse_call, right_for
from bot.types import Actor, Answer, Surface, Verb
from bot.types import Request as Command
from bot.views.errors import error_answer
from bot.views.terminal import answer_text
from bot.web.app import read_body
from bot.web.guesses import Guesses
from services.clients.postgres.audit import append_audit
from services.clients.postgres.machine_limits import take_machine_request
from services.clients.postgres.messages import read_message_state
from services.clients.postgres.runs import find_run_of_delivery, read_steps
from services.clients.railway.quota import Purpose, reading_for
from services.domain.errors import DoneError, OperatorError, OutcomeUnknownError, SourceError, UsageError
from services.domain.masking import mask_message
from services.domain.messages import message_link
from services.domain.people import Person, outsider
from services.domain.runs import RunState, is_proved, run_message_key
from services.domain.secrets import redacted
from services.domain.text import read_json

if TYPE_CHECKING:
    from bot.approvals.service import ApprovalService
    from bot.incidents.service import IncidentService
    from bot.world import World
    from services.clients.slack import SlackClient

logger = logging.getLogger(__name__)

PATH = "/machines"
MAX_BODY = 8_000  # bytes
WRONG_A_MINUTE = 30
CALLS = Rate(30, 1.0)  # per machine and replica: 30 at once, then one per second
CHANGES = Rate(10, 60.0)  # requests for changes per machine on all replicas, because people read each
AUDITED = "machine.call"


TOO_MANY = OperatorError(
    "Nothing was filed",
    why=f"a machine may request {CHANGES.burst} changes at once, and then one per minute",
    what_next="Wait a minute, and send it again with the same `request_id`.",
)


class Call(BaseModel):
    """The body of a request: one command. `request_id`: the same in a retry, which files no second run. With other
    words it is another request."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    verb: str = Field(max_length=40)
    arguments: str = Field("", max_length=2 * ARGUMENTS_LIMIT)
    request_id: str = Field("", pattern=r"^[A-Za-z0-9._:-]{0,100}$")


@dataclass(frozen=True)
class Reply:
    """HTTP status and JSON body of an answer."""

    status: int
    body: Mapping[str, object]


class MachineDoor:
    """Handler of requests from machines; one per process. `channel`: where requests for changes are posted.
    `workspace_url`: returns "https://acme.slack.com/"."""

    def __init__(
        self,
        *,
        world: World,
        approval_service: ApprovalService,
        incident_service: IncidentService,
        slack: SlackClient,
        channel: str,
        workspace_url: Callable[[], str | None],
        clock: Callable[[], float] = time.monotonic,
        changes: Rate = CHANGES,
    ) -> None:
        self._world = world
        self._approval_service = approval_service
        self._incident_service = incident_service
        self._slack = slack
        self._channel = channel
        self._workspace_url = workspace_url
        self._clock = clock
        self.changes = changes
        self._due_at: dict[str, float] = {}

    def wait_s(self, machine: str) -> float:
        """Seconds until this machine may call; if 0, the call is counted."""
        now = self._clock()
        due_at = max(self._due_at.get(machine, now), now) + CALLS.every_s
        too_far_s = due_at - (now + CALLS.burst * CALLS.every_s)
        if too_far_s > 0:
            return too_far_s
        self._due_at[machine] = due_at
        return 0.0

    async def answer(self, machine: str, call: Call) -> Reply:
        """Run the command. Returns its answer, or the reason why it was not run."""
        person = outsider(MACHINE, machine)
        try:
            verb, words = await self._parse(person, call)
            verdict = await self._refusal(person, right_for(verb))
            await self._record(person, call, verdict.why if verdict else None)
            if verdict is not None:
                return _refused(403, OperatorError("Nothing was run", why=verdict.why, what_next=verdict.what_next))
            delivery = _delivery(person, words, call.request_id) if call.request_id else None
            filed = await self._filed(delivery) if isinstance(verb, Change) and delivery else None
            if isinstance(verb, Change) and filed is None and not await self._takes_change(person):
                await self._record(person, call, TOO_MANY.why)
                return _refused(429, TOO_MANY)
            answer = await self._run(person, words if filed is None else ["run", str(filed)], delivery)
        except (OperatorError, SourceError) as error:
            return failed(error)
        run = await self._run_of(answer) if isinstance(verb, Change) or verb.name == "run" else None
        return Reply(200, _body(answer) | {"run": run})

    async def _takes_change(self, person: Person) -> bool:
        """True if the machine may request one more change; counted for all replicas. Raises SourceError."""
        async with need_database(self._world).transaction() as conn:
            return await take_machine_request(
                conn,
                machine=person.user_id,
                burst=self.changes.burst,
                every=timedelta(seconds=self.changes.every_s),
            )

    async def _filed(self, delivery: str) -> int | None:
        """Id of the run that an earlier try filed, as a new plan could fail because of that run. Raises SourceError."""
        async with need_database(self._world).read() as conn:
            return await find_run_of_delivery(conn, delivery=delivery)

    async def _parse(self, person: Person, call: Call) -> tuple[Verb, list[str]]:
        try:
            return parse_call(call.verb, call.arguments)
        except UsageError as error:
            await self._record(person, call, error.why)
            raise

    async def _run(self, person: Person, words: list[str], delivery: str | None) -> Answer:
        actor = Actor(person.user_id, person.team_id)
        request = Command(surface=Surface.TERMINAL, actor=actor, delivery=delivery)  # the whole answer, uncut
        with reading_for(Purpose.ANSWER, person.user_id):
            return await run_words(words, request, self._world, self._approval_service, self._incident_service)

    async def _refusal(self, person: Person, right: str) -> Refused | None:
        policy = self._approval_service.policy
        if not isinstance(policy, Policy):
            return Refused("the policy cannot be used", "`check-config` shows what to fix.")
        environment = self._world.settings.environment or ""
        target = Target(right, frozenset(), environment, at=datetime.now(UTC))
        people = await self._approval_service.people()
        verdict = await self._approval_service.judge_now(
            lambda target: judge_anywhere(Right.REQUEST, person, target, policy, people), target, policy, person
        )
        return verdict if isinstance(verdict, Refused) else None

    async def _record(self, person: Person, call: Call, refused: str | None) -> None:
        """Append the audit row; for refused calls one per verb and minute. Raises SourceError: then nothing runs."""
        database, verb = need_database(self._world), mask_message(call.verb)
        with self._world.audit_limit.counting() as count:
            due = 1 if refused is None else count(person.user_id, f"{AUDITED} {verb}")
            if due is None:
                return
            given = {"verb": verb, "arguments": mask_message(call.arguments), "refused": refused}
            details = {**given, **times(due)}
            async with database.transaction() as conn:
                await append_audit(conn, actor=person.user_id, event=AUDITED, run_id=None, details=details)

    async def _run_of(self, answer: Answer) -> dict[str, object] | None:
        """The run in the answer, or None. `proved`: None if its steps can't be read. `link`: its message, or the
        channel while the message is not posted."""
        data = answer.data
        if not isinstance(data, Mapping) or not isinstance(data.get("id"), int) or "plan_hash" not in data:
            return None
        ts, proved, channel_id, url = None, None, None, self._workspace_url()
        try:
            channel_id = await self._slack.channel_id(self._channel)
            if self._world.database is not None:
                async with self._world.database.read() as conn:
                    ts, _ = await read_message_state(conn, key=run_message_key(data["id"]))
                    proved = is_proved(RunState(data["state"]), await read_steps(conn, data["id"]))
        except SourceError as error:
            logger.info("a run's link, or its proof, is not known: %s", error.why)
        link = message_link(url, channel_id, ts)
        channel = f"{url.rstrip('/')}/archives/{channel_id}" if url and channel_id else None
        known = {"id": data["id"], "state": data["state"], "outcome": data["outcome"]}
        return known | {"proved": proved, "link": link or channel}


def add_machine_door(app: FastAPI, door: MachineDoor, machines: Sequence[Machine]) -> None:
    """Add `POST /machines`. Nothing is parsed before the token is verified."""
    guesses = Guesses(WRONG_A_MINUTE, PATH)

    @app.post(PATH)
    async def call(request: Request) -> Response:
        machine = find_machine(request.headers.get("authorization", ""), machines)
        if machine is None:
            return Response(status_code=401 if guesses.count(time.monotonic()) else 429)
        wait_s = door.wait_s(machine)
        if wait_s > 0:
            return Response(status_code=429, headers={"Retry-After": str(int(wait_s) + 1)})
        body = await read_body(request, limit=MAX_BODY)
        if len(body) > MAX_BODY:
            return Response(status_code=413)
        try:
            asked = Call.model_validate(read_json(body))
        except (ValueError, RecursionError):  # a ValidationError is a ValueError
            return JSONResponse({"error": {"what": "The body is not a call", "fields": list(Call.model_fields)}}, 400)
        reply = await door.answer(machine, asked)
        wait = {"Retry-After": str(int(door.changes.every_s))} if reply.status == 429 else None
        body_text = json.dumps(reply.body, ensure_ascii=False)
        return Response(body_text, reply.status, headers=wait, media_type="application/json")


def find_machine(authorization: str, machines: Sequence[Machine]) -> str | None:
    """Return the machine with this token, or None. Constant time: all tokens are compared."""
    scheme, _, given = authorization.partition(" ")
    hashed = hashlib.sha256(given.strip().encode("utf-8", "replace")).digest()
    found = [
        one.name
        for one in machines
        if hmac.compare_digest(hashed, hashlib.sha256(one.token.reveal().encode()).digest())
    ]
    return found[0] if found and re.fullmatch("bearer", scheme, re.I) else None


def _delivery(person: Person, words: Sequence[str], request_id: str) -> str:
    """Delivery key of a request: the same only for a retry with the same id and the same words."""
    hashed = hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]
    return f"{person.user_id}:{request_id}:{hashed}"


def _body(answer: Answer) -> dict[str, object]:
    data = json.loads(json.dumps(answer.data, ensure_ascii=False, default=str))
    shown: dict[str, object] = redacted({"status": answer.status.value, "text": answer_text(answer), "data": data})
    return shown


def failed(error: OperatorError | SourceError) -> Reply:
    """The reply for an error. `outcome_unknown` in the body: it may have been done."""
    match error:
        case UsageError():
            return _refused(400, error)
        case DoneError():
            return Reply(200, _body(error_answer(error)) | {"run": None})
        case OutcomeUnknownError() | SourceError(outcome_unknown=True):
            return _refused(503, error, outcome_unknown=True)
        case OperatorError():
            return _refused(409, error)
        case SourceError():
            return _refused(503, error)


def _refused(status: int, error: OperatorError | SourceError, *, outcome_unknown: bool = False) -> Reply:
    return Reply(status, _body(error_answer(error)) | {"run": None, "outcome_unknown": outcome_unknown})
