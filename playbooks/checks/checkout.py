"""Checks that the code to deploy is committed, tagged and pushed (runbook, "Pre-Deployment Checklist")."""

from __future__ import annotations

from dataclasses import dataclass

from playbooks.model import Finding, Status
from services.domain.deployments import Checkout
from services.domain.errors import Unavailable
from services.domain.services import short_sha
from services.domain.text import counted

TAG_IT = 'git tag -a v1.x.x -m "Release v1.x.x", then git push origin v1.x.x'


@dataclass(frozen=True)
class Facts:
    """`is_pushed`: True if the release's tag is at the remote; meaningless without a release."""

    checkout: Checkout | Unavailable
    is_pushed: bool | Unavailable


def check_clean(facts: Facts) -> Finding:
    """`git.clean`: fails if files are not committed."""
    checkout = facts.checkout
    if isinstance(checkout, Unavailable):
        return Finding("git.clean", Status.UNKNOWN, "uncommitted files unknown", checkout.why)
    evidence = {"head": checkout.head, "uncommitted": checkout.uncommitted}
    if checkout.uncommitted:
        title = f"{counted(checkout.uncommitted, 'file')} not committed"
        return Finding("git.clean", Status.FAIL, title, "git status names them", evidence=evidence)
    return Finding("git.clean", Status.OK, f"everything is committed in {short_sha(checkout.head)}", evidence=evidence)


def check_tagged(facts: Facts) -> Finding:
    """`git.tag`: checks that the commit has a release tag, and that it is pushed."""
    checkout = facts.checkout
    if isinstance(checkout, Unavailable):
        return Finding("git.tag", Status.UNKNOWN, "release tag unknown", checkout.why)
    release, head = checkout.release, short_sha(checkout.head)
    evidence = {"head": checkout.head, "tags": [tag.name for tag in checkout.tags]}
    if release is None:
        return Finding("git.tag", Status.FAIL, f"{head} has no release tag", TAG_IT, evidence=evidence)
    if isinstance(facts.is_pushed, Unavailable):
        title = f"whether {release.name} is pushed is unknown"
        return Finding("git.tag", Status.UNKNOWN, title, facts.is_pushed.why, evidence=evidence)
    if not facts.is_pushed:
        title = f"{release.name} is not pushed, or elsewhere at the remote"
        return Finding("git.tag", Status.FAIL, title, f"git push origin {release.name}", evidence=evidence)
    if not release.annotated:
        detail = "it does not record who released it, and when: git tag -a"
        return Finding("git.tag", Status.WARN, f"{release.name} is a lightweight tag", detail, evidence=evidence)
    return Finding("git.tag", Status.OK, f"{head} is {release.name}, and pushed", evidence=evidence)
