"""Answers a question without a model: the doctor's findings that fit it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.assistant.catalogue import services_in
from playbooks.doctor import Report
from playbooks.model import Finding, Status, wrong_first
from playbooks.root_causes import Cause, Diagnosis
from services.domain.services import Service
from services.domain.systems import System

MAX_FINDINGS = 4


@dataclass(frozen=True)
class RuleAnswer:
    """The answer by rules. `causes`: what explains other problems, most urgent first. `findings`: other problems that
    fit. `unknown`: what could not be read, shown for every question. `about`: the services that the question names."""

    causes: tuple[Cause, ...]
    findings: tuple[Finding, ...]
    unknown: tuple[Finding, ...]
    about: frozenset[Service]
    left_out: int = 0

    @property
    def status(self) -> Status:
        """The most urgent status; UNKNOWN, never OK, if something could not be read."""
        found = [*(cause.finding for cause in self.causes), *self.findings, *self.unknown]
        return max((one.status for one in found), key=lambda status: status.urgency, default=Status.OK)


def answer_by_rules(report: Report, question: str, system: System) -> RuleAnswer:
    """Return the causes and findings about the services that the question names, or about all if it names none."""
    about = services_in(question, system)
    fitting = [one for one in report.diagnosed.diagnoses if _fits(one, about)]
    causes = tuple(one.cause for one in fitting)
    findings = wrong_first(one for one in report.wrong if _is_about(one, about))
    left_out = len(report.diagnosed.diagnoses) - len(fitting) + len(report.wrong) - len(findings)
    return RuleAnswer(causes, tuple(findings[:MAX_FINDINGS]), report.unknown, about, left_out)


def _fits(diagnosis: Diagnosis, about: frozenset[Service]) -> bool:
    """True if the cause, or something that follows from it, is about these services."""
    return _is_about(diagnosis.finding, about) or _any_about(diagnosis.follows, about)


def _any_about(findings: Sequence[Finding], about: frozenset[Service]) -> bool:
    return any(one.service is not None and _is_about(one, about) for one in findings)


def _is_about(finding: Finding, about: Iterable[Service]) -> bool:
    """True if the finding is about one of these services; one about no service is about all."""
    services = set(about)
    return not services or finding.service is None or finding.service in services
