"""A local stand-in for OpenAI: one memo for all cases, and a script that answers questions. Neither is a model.

The script chooses reads by words in the question, and repeats the first lines that report a problem; as a draft it
repeats the entries of a timeline. The bot checks its text as it checks any model's.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, HTTPException

PATH = "/openai/v1"
KEY = "sk-sandbox"

# A memo in the schema of `services.enforcement_worker.memo`.
_MEMO = {
    "summary": "Written by the sandbox, not by a model: serve an information subpoena, then restrain what it finds.",
    "actions": ["information_subpoena", "restraining_notice"],
    "find_out_first": ["Where wages are paid."],
    "risks": ["Funds may be exempt under CPLR 5205(l)."],
}
_TOKENS_IN, _TOKENS_OUT = 400, 100


def build_router(*, thinks_s: float = 1.5) -> APIRouter:
    """`POST /openai/v1/responses`, as in OpenAI's API reference; 401 for another key than `KEY`.

    `thinks_s`: seconds that the script takes per call, so that people see the steps and can press *Stop*.
    """
    router = APIRouter(prefix=PATH)

    @router.post("/responses")
    async def respond(
        body: Annotated[dict[str, Any], Body()], authorization: Annotated[str, Header()] = ""
    ) -> dict[str, Any]:
        if authorization != f"Bearer {KEY}":
            raise HTTPException(401, "Incorrect API key provided")
        await asyncio.sleep(thinks_s if _name_of(body) in _SCRIPTED else 0.0)
        return response(json.dumps(_answer(body)), model=str(body.get("model", "sandbox")))

    return router


SCRIPT = "demo script, not a model"  # shown in the footer of an answer
SCRIPT_VARIABLES = {
    "OPENAI_API_KEY": KEY,
    "OPENAI_MODEL": SCRIPT,
    "OPENAI_INPUT_USD_PER_MTOK": "0",
    "OPENAI_OUTPUT_USD_PER_MTOK": "0",
}
_READS = {  # {word in the question: reads}
    "slow": ("queue", "throughput", "heartbeats"),
    "queue": ("queue", "throughput"),
    "fail": ("failed-jobs", "recent-changes"),
    "deploy": ("recent-changes", "sha"),
    "change": ("recent-changes",),
    "upload": ("intake",),
    "call": ("oncall",),
}
_ALWAYS = ("doctor", "heartbeats", "recent-changes")
_CLAUSE = re.compile(r"\s[·—|]\s|;\s|\.\s")
_MARKS = re.compile(r"[<>@#*~`|\[\]{}…]|[^\x20-\x7e]|(?<!\w)_|_(?!\w)")
_MOST_CLAIMS, _FEWEST_WORDS = 3, 3


def _name_of(body: dict[str, Any]) -> str:
    """The name of the requested type of answer."""
    return str(((body.get("text") or {}).get("format") or {}).get("name", ""))


def _answer(body: dict[str, Any]) -> dict[str, Any]:
    script = _SCRIPTED.get(_name_of(body))
    return script(json.loads(body["input"])) if script else _MEMO


def _choose(asked: dict[str, Any]) -> dict[str, Any]:
    question = str(asked["question"]).lower()
    chosen = [read for word, reads in _READS.items() if word in question for read in reads]
    verbs = list(dict.fromkeys([*chosen, *_ALWAYS]))[:6]
    return {"reads": [{"verb": verb, "service": None, "window": None} for verb in verbs]}


def _write(asked: dict[str, Any]) -> dict[str, Any]:
    claims: dict[str, dict[str, Any]] = {}
    for line in asked["lines"]:
        if "🔴" not in line["text"] or len(claims) == _MOST_CLAIMS:
            continue
        part = _CLAUSE.split(re.sub(r"^\W+", "", line["text"]))[0].strip()  # the first clause names its subject
        if len(part.split()) >= _FEWEST_WORDS and not _MARKS.search(part):
            claims.setdefault(part, {"kind": "observed", "text": part, "evidence": [line["id"]], "quote": part})
    unknown = {"kind": "unknown", "text": "The reads do not show why.", "evidence": [], "quote": ""}
    nexts = [{"verb": verb, "service": None, "window": None} for verb in ("queue", "heartbeats")]
    return {"claims": list(claims.values()) or [unknown], "next": nexts, "more": []}


def _draft(asked: dict[str, Any]) -> dict[str, Any]:
    """Each entry unchanged, without those about paging, which a later reader does not need."""
    entries = [one for one in asked["entries"] if "paged" not in one["text"]] or asked["entries"]
    return {"sentences": [{"entry": one["id"], "text": f"{one['text']}."} for one in entries]}


_SCRIPTED = {"ChosenReads": _choose, "WrittenAnswer": _write, "WrittenDraft": _draft}


def response(text: str, *, model: str) -> dict[str, Any]:
    """A complete response with this text."""
    content = {"type": "output_text", "text": text, "annotations": []}
    message = {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [content],
    }
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": model,
        "output": [message],
        "parallel_tool_calls": False,
        "tool_choice": "none",
        "tools": [],
        "usage": {
            "input_tokens": _TOKENS_IN,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": _TOKENS_OUT,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": _TOKENS_IN + _TOKENS_OUT,
        },
    }
