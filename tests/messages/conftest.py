"""`--rewrite` writes the golden files anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from tests.messages.render import FOLDER, golden_text

Compare = Callable[[str, Mapping[str, str]], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write the golden files of messages anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Compare:
    """`golden("runs", {name: text})`: the texts are those of golden/runs.txt."""

    def compare(name: str, texts: Mapping[str, str]) -> None:
        file, text = FOLDER / f"{name}.txt", golden_text(texts)
        if request.config.getoption("--rewrite", default=False):
            file.write_text(text)
        assert text == file.read_text(), "`make golden` takes the new words over"

    return compare
