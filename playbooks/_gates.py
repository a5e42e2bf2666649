"""Several findings as one: a box of a checklist that is ticked or not."""

from __future__ import annotations

from collections.abc import Sequence

from playbooks._contract import Finding, Status, worst, wrong_first


def gate(kind: str, name: str, findings: Sequence[Finding]) -> Finding:
    """`<kind>.<name>`: what is most urgent speaks for all; the evidence has every check behind it."""
    first, *others = wrong_first(findings)
    alike = others if first.status is Status.OK else [one for one in others if one.status is not Status.OK]
    more = f", and {len(alike)} more" if alike else ""
    evidence = {finding.check: {"status": finding.status.value, "title": finding.title} for finding in findings}
    slug = name.lower().replace(" ", "_")
    title = f"{name}: {first.title}{more}"
    return Finding(f"{kind}.{slug}", worst(findings), title, first.detail, evidence=evidence, next_step=first.next_step)
