"""A file of variables is read as a shell reads it, and changed where the value that counts stands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.setup.env_file import loading, read_env_file, write_env_file
from services.domain.errors import OperatorError

LINES = """\
PLAIN=value
COMMENT=value # why
TABS=value\t# why
HASH=a#b
HASH_FIRST=#b
EMPTY= # only a comment
SINGLE='a # b' # it's why
DOUBLE="a # b"
URL='postgresql://u:p@h/db?x=1#y'
export EXPORTED=value # why
TWICE=first
TWICE=second
"""


def test_file_is_read_as_a_shell_reads_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(LINES)
    done = subprocess.run(
        ["/bin/sh", "-c", "set -a; . ./.env; env -0"], cwd=tmp_path, env={}, capture_output=True, text=True
    )
    shell = dict(one.split("=", 1) for one in done.stdout.split("\0") if one)

    found = read_env_file(file)

    assert found == {name: shell[name] for name in found}
    assert shell.keys() - found.keys() <= {"EMPTY", "PWD", "OLDPWD", "_", "SHLVL"}


def test_every_line_of_a_name_is_changed_and_its_comment_stays(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# first\nKEY=old\nOTHER=x # why\nexport KEY='older' # mine\n")

    write_env_file(file, {"KEY": "new", "ADDED": "a b"})

    assert file.read_text() == "# first\nKEY=new\nOTHER=x # why\nexport KEY=new # mine\nADDED='a b'\n"
    assert read_env_file(file) == {"KEY": "new", "OTHER": "x", "ADDED": "a b"}


@pytest.mark.parametrize("named", [".env", "prod.env", "two words/.env", "../up.env", "/absolute.env"])
def test_command_that_loads_a_file_works_in_every_shell(named: str, tmp_path: Path) -> None:
    """Some look for `. .env` in PATH alone."""
    here = tmp_path / "here"
    path = tmp_path / named[1:] if named.startswith("/") else Path(named)
    for folder in (here, (here / path).parent):
        folder.mkdir(parents=True, exist_ok=True)
    (here / path).write_text("KEY=value\n")

    done = subprocess.run(["/bin/sh", "-c", f"{loading(path)}; env"], cwd=here, env={}, capture_output=True, text=True)

    assert "KEY=value\n" in done.stdout, done.stderr


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.env"
    broken.write_bytes(b"KEY=\xff\n")

    for unreadable in (tmp_path, broken):
        with pytest.raises(OperatorError, match=str(unreadable)):
            read_env_file(unreadable)
        with pytest.raises(OperatorError, match=str(unreadable)):
            write_env_file(unreadable, {"KEY": "value"})
    assert broken.read_bytes() == b"KEY=\xff\n"
