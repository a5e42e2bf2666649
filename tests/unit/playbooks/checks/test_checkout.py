"""The two items of the deploy checklist about git."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playbooks.checks.checkout import Facts, check_clean, check_tagged
from playbooks.model import Status
from services.domain.deployments import Checkout, Tag
from services.domain.errors import Unavailable

RELEASE = Tag("v1.2.3", annotated=True)
READY = Checkout("a1b2c3d4" * 5, 0, (RELEASE,))
AWAY = Unavailable("git", "there is no checkout here")


def test_a_release_that_is_committed_tagged_and_pushed_is_fine() -> None:
    facts = Facts(READY, is_pushed=True)

    assert check_clean(facts).title == "everything is committed in a1b2c3d4"
    assert check_tagged(facts).title == "a1b2c3d4 is v1.2.3, and pushed"
    assert {check_clean(facts).status, check_tagged(facts).status} == {Status.OK}


def test_uncommitted_files_are_counted() -> None:
    finding = check_clean(Facts(replace(READY, uncommitted=2), is_pushed=True))

    assert (finding.status, finding.title) == (Status.FAIL, "2 files not committed")


@pytest.mark.parametrize("tags", [(), (Tag("nightly", annotated=True),), (Tag("v1.2", annotated=True),)])
def test_a_commit_that_is_no_release_reports_how_to_make_one(tags: tuple[Tag, ...]) -> None:
    finding = check_tagged(Facts(replace(READY, tags=tags), is_pushed=True))

    assert (finding.status, finding.title) == (Status.FAIL, "a1b2c3d4 has no release tag")
    assert "git tag -a" in finding.detail


def test_a_tag_that_no_one_else_has_is_not_enough() -> None:
    finding = check_tagged(Facts(READY, is_pushed=False))

    assert (finding.status, finding.detail) == (Status.FAIL, "git push origin v1.2.3")


def test_a_remote_that_does_not_answer_leaves_it_unknown() -> None:
    assert check_tagged(Facts(READY, Unavailable("git", "no answer within 5 s"))).status is Status.UNKNOWN


def test_a_lightweight_tag_is_a_warning() -> None:
    light = replace(READY, tags=(Tag("v1.2.3", annotated=False),))

    assert check_tagged(Facts(light, is_pushed=True)).status is Status.WARN


def test_without_a_checkout_both_are_unknown() -> None:
    facts = Facts(AWAY, AWAY)

    assert {check_clean(facts).status, check_tagged(facts).status} == {Status.UNKNOWN}
