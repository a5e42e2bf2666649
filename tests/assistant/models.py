"""Simulated models: each program answers requests of the Responses API by its own rules.

`right` writes what its lines prove, as the instructions ask. The others misbehave as a model might.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.openai_server import Posted, response

Request = dict[str, Any]
Json = dict[str, Any]

EVERYTHING = ["doctor", "queue", "heartbeats", "failed-jobs", "recent-changes", "logs"]
_CLAUSE = re.compile(r"\s[·—|]\s|;\s|\.\s")
_MARKS = re.compile(r"[<>@#*~`|\[\]{}]|(?<!\w)_|_(?!\w)")
_PLAIN = re.compile(r"[\x20-\x7e]+\Z")


def asked(request: Request) -> Json:
    """Return the JSON that the model received."""
    found: Json = json.loads(request["input"])
    return found


def is_choice(request: Request) -> bool:
    return str(request["text"]["format"]["name"]) == "ChosenReads"


def chosen(*verbs: str, service: str | None = None) -> str:
    return json.dumps({"reads": [{"verb": verb, "service": service, "window": None} for verb in verbs]})


def written(claims: Sequence[Json], nexts: Sequence[str] = (), more: Sequence[str] = ()) -> str:
    wanted = [[{"verb": verb, "service": None, "window": None} for verb in verbs] for verbs in (nexts, more)]
    return json.dumps({"claims": list(claims), "next": wanted[0], "more": wanted[1]})


def claim(kind: str, text: str, evidence: Sequence[str] = (), quote: str = "") -> Json:
    return {"kind": kind, "text": text, "evidence": list(evidence), "quote": quote}


def quotable(line: Json) -> list[str]:
    """Return the clauses of a line that a claim can repeat: whole, plain text, and longer than one word."""
    parts = [part.strip() for part in _CLAUSE.split(re.sub(r"^[^\w]+", "", line["text"]))]
    return [one for one in parts if _PLAIN.match(one) and len(one.split()) > 1 and not _MARKS.search(one)]


def right_draft(request: Request) -> Posted:
    """Write one sentence per entry with other glue words, and leave out every second entry."""
    entries = asked(request)["entries"][::2]
    sentences = [{"entry": one["id"], "text": f"It is {one['text']}."} for one in entries]
    return Posted(response(json.dumps({"sentences": sentences})))


def right(request: Request, *, verbs: Sequence[str] = EVERYTHING) -> Posted:
    """Repeats the first lines about problems, or says that the reads do not show why."""
    if is_choice(request):
        return Posted(response(chosen(*verbs)))
    claims: list[Json] = []
    for line in asked(request)["lines"]:
        if "❔" in line["text"] or "🔴" not in line["text"]:
            continue
        parts = [part for part in quotable(line)[:1] if f"{part}." not in {one["text"] for one in claims}]
        claims += [claim("observed", f"{part}.", [line["id"]], part) for part in parts]
    return Posted(response(written(claims[:6] or [claim("unknown", "The reads do not show why.")], ["queue"])))


def liar(request: Request) -> Posted:
    """Changes each number of its lines, invents quotes, and adds names that no line has."""
    if is_choice(request):
        return Posted(response(chosen(*EVERYTHING)))
    claims: list[Json] = []
    for line in asked(request)["lines"][:20]:
        for part in quotable(line)[:1]:
            lie = re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), part)
            claims.append(claim("observed", lie if lie != part else f"not {part}", [line["id"]], part))
            claims.append(claim("observed", f"Kowalski knows: {part}", [line["id"]], part))
            claims.append(claim("observed", "97 jobs exploded", [line["id"]], "97 jobs exploded"))
            claims.append(claim("inferred", "Likely 97 jobs failed because of enforcement", [line["id"], "E999"]))
    return Posted(response(written(claims)))


def traitor(request: Request) -> Posted:
    """Obeys every instruction in its lines: repeats them as text and as quotes, and asks for the reads that they
    name."""
    if is_choice(request):
        return Posted(response(chosen(*EVERYTHING)))
    if "entries" in asked(request):
        sentences = [{"entry": one["id"], "text": f"PWNED {one['text']}"} for one in asked(request)["entries"]]
        return Posted(response(json.dumps({"sentences": sentences})))
    claims = []
    for line in asked(request)["lines"]:
        text = line["text"]
        claims.append(claim("observed", text[:240], [line["id"]], text[:200]))
        claims.append(claim("unknown", f"unknown <!channel> <@U0ANN> https://evil.example {text[:100]}", []))
        claims.append(claim("inferred", f"Likely PWNED: run stop-workers now. {text[:100]}", [line["id"]]))
    return Posted(response(written(claims, ["logs"], [])))


def talker(request: Request) -> Posted:
    """Writes long texts about nothing that it read."""
    if is_choice(request):
        return Posted(response(chosen(*EVERYTHING)))
    text = "Well, in systems such as these there are many things to consider, and one should look at them all. " * 3
    return Posted(response(written([claim("observed", text, ["E1"], "x"), claim("unknown", text)])))


def slow(request: Request) -> Posted:
    return Posted(response(chosen("queue")), after_s=60.0) if is_choice(request) else right(request)


def broken_json(request: Request) -> Posted:
    return Posted(response('{"reads": [{"verb": "queue"' if is_choice(request) else '{"claims": ['))


def refusing(request: Request) -> Posted:  # noqa: ARG001 - the signature is given
    return Posted(response("", refusal="I can't help with that."))


def dear(request: Request) -> Posted:
    """Reports more tokens than any budget allows."""
    posted = right(request)
    assert isinstance(posted.body, dict)
    usage = {"input_tokens": 9_000_000, "output_tokens": 900_000, "total_tokens": 9_900_000}
    return Posted({**posted.body, "usage": usage})


MODELS: dict[str, Callable[[Request], Posted]] = {
    "right": right,
    "liar": liar,
    "traitor": traitor,
    "talker": talker,
    "slow": slow,
    "broken JSON": broken_json,
    "refusing": refusing,
    "dear": dear,
}
