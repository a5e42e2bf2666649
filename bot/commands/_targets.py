"""What the words of a change name: services, commits, counts. The parameters that come of them are plain text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.commands._arguments import need_service, parse_service, wrong_word
from services.domain.errors import UsageError
from services.domain.masking_messages import mask_message
from services.domain.services import find_services
from services.domain.sha import is_sha

REASON_LIMIT = 300
_VERSION = re.compile(r"[0-9]{14}\Z")
_DEPLOYMENT = re.compile(r"[0-9a-z]+(?:-[0-9a-z]+){2,}\Z|[0-9a-f]{8}-[0-9a-f-]*\Z")  # a UUID, or its beginning


def parse_services(words: Sequence[str], example: str) -> str:
    """The short word for one service, `workers` or `all`; the example ("rollback api") goes into the error."""
    if not words:
        return need_service(words, example).short
    word = words[0].lower()
    return word if len(find_services(word) or ()) > 1 else parse_service(word).short


def parse_replicas(word: str, *, largest: int) -> str:
    """A whole number from 0 to `largest`, without leading zeros."""
    if not (word.isascii() and word.isdigit() and len(word) <= 9 and int(word) <= largest):
        raise wrong_word(word, "is not a number of replicas", f"Take a whole number from 0 to {largest}.")
    return str(int(word))


def parse_target(word: str) -> str:
    """A commit SHA or a deployment's id, in lower case."""
    target = word.lower()
    if is_sha(target) or _DEPLOYMENT.match(target):
        return target
    raise wrong_word(
        word,
        "is neither a commit nor a deployment",
        "Write 7 to 40 characters of the commit's SHA, or 8 or more of a deployment's id, as `deployments` shows them.",
    )


def parse_version(word: str) -> str:
    """A migration's version."""
    if not _VERSION.match(word):
        raise wrong_word(word, "is not a migration's version", "Write its 14 digits, as `migrations` shows them.")
    return word


def parse_reason(words: Sequence[str], example: str, *, called: str = "reason") -> str:
    """The rest of the line as one sentence, without the data in it: everybody reads it. Raises UsageError when it is
    empty or too long, in which it is `called` what the usage calls it."""
    reason = mask_message(" ".join(words))
    if not reason:
        raise UsageError("Nothing was done", why=f"the {called} is missing", what_next=f"Say it: `{example}`.")
    if len(reason) > REASON_LIMIT:
        why = f"the {called} has {len(reason)} characters"
        raise UsageError("Nothing was done", why=why, what_next=f"Say it in at most {REASON_LIMIT}.")
    return reason
