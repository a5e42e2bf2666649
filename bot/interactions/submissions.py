"""What was submitted in a modal, and what is wrong with it; pure, because Slack waits for the answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.commands._contract import Block
from bot.views import incident_modals
from bot.views.masked import is_changed, kept_as
from bot.views.modals import (
    ALONE,
    ANSWER,
    APPROVE_TYPED,
    CHOOSE_TARGET,
    DENY,
    PRESET,
    REASON_LIMIT,
    REVIEW,
    STOP_WORKERS,
)
from services.domain.masking_messages import mask_message

Payload = Mapping[str, Any]

SEEN = "masked_seen"  # block and metadata: what the writer was shown that would be kept
_OF_A_VIEW = ("type", "callback_id", "title", "submit", "close")

# What each modal's metadata has to name.
_NEEDS = {
    DENY: "run",
    REVIEW: "run",
    ALONE: "run",
    APPROVE_TYPED: "run",
    CHOOSE_TARGET: "service",
    STOP_WORKERS: "service",
    incident_modals.OPEN: "channel",
    incident_modals.RESOLVE: "incident",
}

# What to say to whoever leaves the text of such a modal empty.
_WANTED = {
    DENY: "Say why: everybody reads it in the run's message.",
    REVIEW: "Say what you found: everybody reads it in the run's message.",
    ALONE: "Say why: everybody reads it, and it is reviewed afterwards.",
    incident_modals.OPEN: "Say it in a few words: everybody reads it.",
    incident_modals.RESOLVE: "Say it in a few words: everybody reads it.",
}


@dataclass(frozen=True)
class Submission:
    """`metadata` is what the modal was opened with; `answer` the text or option, `preset` the choice beside it.

    `words` is the text as everybody may read it, without the data in it.
    """

    kind: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    answer: str = ""
    preset: str = ""

    @property
    def run_id(self) -> int:
        return int(self.metadata["run"])

    @property
    def words(self) -> str:
        return mask_message(self.answer)

    @property
    def reason(self) -> str:
        """The preset, then the own words."""
        return ": ".join(filter(None, [self.preset, self.words]))[:REASON_LIMIT]


def read_submission(view: Payload) -> Submission | None:
    """None for a modal that is none of ours, or is damaged."""
    kind, metadata = str(view.get("callback_id", "")), read_metadata(view)
    needs = _NEEDS.get(kind)
    if needs is None or needs not in metadata:
        return None
    values = view.get("state", {}).get("values", {})
    return Submission(kind, metadata, _entered(values, ANSWER), _entered(values, PRESET))


def read_metadata(view: Payload) -> Mapping[str, Any]:
    """What `bot.views.modals` wrote into the modal; empty when there is nothing."""
    try:
        metadata = json.loads(view.get("private_metadata") or "{}")
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) else {}


def find_mistakes(submission: Submission) -> dict[str, str]:
    """`{block id: what is wrong}` as Slack shows it below the input; empty when all is well."""
    if submission.kind == APPROVE_TYPED and submission.answer.split() != str(submission.metadata["phrase"]).split():
        return {ANSWER: f"Type exactly: {submission.metadata['phrase']}"}
    if submission.kind in _WANTED and not submission.answer.strip():
        return {ANSWER: _WANTED[submission.kind]}
    return {}


def view_to_look_at(view: Payload, submission: Submission) -> Block | None:
    """The modal again with what would be kept of the text, so that its writer sees it first.

    None when nothing is taken out of it, or when its writer has seen that already. An emergency stop does not wait.
    """
    seen = hashlib.sha256(submission.words.encode()).hexdigest()[:12]
    is_asked = submission.kind in _WANTED and is_changed(submission.answer)
    if not is_asked or submission.metadata.get(SEEN) == seen:
        return None
    own = [block for block in view["blocks"] if block.get("block_id") != SEEN]
    blocks = [kept_as(submission.answer) | {"block_id": SEEN}, *(_with_answer(one, submission.answer) for one in own)]
    metadata = json.dumps({**submission.metadata, SEEN: seen})
    again = {name: view[name] for name in _OF_A_VIEW if view.get(name)}
    return again | {"blocks": blocks, "private_metadata": metadata}


def _with_answer(block: Payload, answer: str) -> Block:
    """A modal that is shown again begins with what was typed."""
    if block.get("block_id") != ANSWER:
        return dict(block)
    return {**block, "element": {**block["element"], "initial_value": answer}}


def _entered(values: Payload, name: str) -> str:
    """The text or the option's value of the input of this block and action id."""
    state = values.get(name, {}).get(name, {})
    option = state.get("selected_option") or {}
    return str(state.get("value") or option.get("value") or "")
