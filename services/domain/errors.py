"""The errors of the system; an OperatorError says what failed, why, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# HTTP statuses that refuse a request before anything is done. After any other failure, it may have been done.
REFUSED = frozenset({400, 401, 403, 404, 422, 429})


@dataclass(frozen=True)
class Choice:
    """A command line that is offered as a button.

    `about` is our own mrkdwn beside the button (the state of incident 7, say). `label`: empty to show the line itself.
    """

    line: str
    label: str = ""
    about: str = ""


class OperatorError(Exception):
    """The only error that people see.

    `what` failed (and, where it matters, what was not changed), `why`, and `what_next` to do. All three are our own
    sentences: untrusted text goes into them only after `bot.views.text.escape`. `choices`: command lines that help,
    likeliest first, offered as buttons.
    """

    def __init__(self, what: str, *, why: str, what_next: str, choices: Sequence[Choice] = ()) -> None:
        super().__init__(f"{what}: {why}. {what_next}")
        self.what = what
        self.why = why
        self.what_next = what_next
        self.choices = tuple(choices)


class UsageError(OperatorError):
    """The words typed do not fit the command; nothing was done. The CLI exits with 2.

    `instead`: the word that does not fit and the one that was probably meant; the caller that knows the whole line
    turns it into a choice.
    """

    def __init__(
        self,
        what: str,
        *,
        why: str,
        what_next: str,
        choices: Sequence[Choice] = (),
        instead: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(what, why=why, what_next=what_next, choices=choices)
        self.instead = instead


class OutcomeUnknownError(OperatorError):
    """An act whose outcome could not be read back. Conclude nothing from it, least of all that it was not done."""


class DoneError(OperatorError):
    """The act was done, but its answer can't be shown. The CLI exits with 0."""


class SourceError(Exception):
    """A source of facts (database, Railway, API, Slack) did not answer as it should.

    Clients translate their SDK's errors into this at their edge. `why` never holds a secret, a DSN or a row's values.
    `retryable`: the same call may succeed later. `outcome_unknown`: the call may have taken effect although it failed.
    `http_status`: of an answer that could not be used, if there was one. `takes_no_writes`: the database answers reads
    and refuses every write.
    """

    def __init__(
        self,
        source: str,
        why: str,
        *,
        retryable: bool = False,
        outcome_unknown: bool = False,
        http_status: int | None = None,
        takes_no_writes: bool = False,
    ) -> None:
        super().__init__(f"{source}: {why}")
        self.source = source
        self.why = why
        self.retryable = retryable
        self.outcome_unknown = outcome_unknown
        self.http_status = http_status
        self.takes_no_writes = takes_no_writes

    @property
    def is_outage(self) -> bool:
        """True if the source was unavailable and nothing is wrong with the request."""
        return self.retryable or self.outcome_unknown


@dataclass(frozen=True)
class Unavailable:
    """A fact that could not be read. It is *unknown*, never *fine*.

    `source` is the system ("Railway", "database", "API"), `why` is one short clause ("no answer within 5 s").
    `http_status`: of an answer that could not be used, if there was one; a 503 says more than no answer. `is_outage`:
    the source was called and was unavailable; False also if it could not even be called.
    """

    source: str
    why: str
    http_status: int | None = None
    is_outage: bool = False

    def __str__(self) -> str:
        return f"{self.source}: {self.why}"

    @property
    def is_server_error(self) -> bool:
        """True if the service, or its proxy, answered with a server error."""
        return self.http_status is not None and self.http_status >= 500
