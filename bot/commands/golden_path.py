"""`golden-path [--keep|--clean]`: one file of test data all the way through the intake."""

from __future__ import annotations

from collections.abc import Mapping

from bot.commands._arguments import wrong_word
from bot.commands._verbs import Change
from services.domain.errors import UsageError

FLAGS = {"--keep": "keep", "--clean": "clean"}


def parse(words: tuple[str, ...]) -> Mapping[str, str]:
    """`keep` ("yes") or `clean` ("yes"), or nothing."""
    for word in words:
        if word not in FLAGS:
            raise wrong_word(word, "is not known here", "Write `golden-path`, `--keep` or `--clean` behind it.")
    if len(set(words)) > 1:
        raise UsageError(
            "Nothing was done",
            why="`--keep` and `--clean` exclude each other",
            what_next="`--keep` leaves the batch of a new run, `--clean` takes away what earlier runs left.",
        )
    return {FLAGS[word]: "yes" for word in words}


COMMAND = Change(
    name="golden-path",
    summary="send one file of test data all the way through the intake, prove it, and take it away again",
    group="Changes",
    usage="[--keep|--clean]",
    examples=("golden-path", "golden-path --keep", "golden-path --dry-run"),
    parse=parse,
    risk="high in production, otherwise low",
)
