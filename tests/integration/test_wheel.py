"""The product as others install it: both wheels in their own environment, started in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from services.sandbox.web_server import find_free_port
from tests.conftest import DatabaseUrls

ROOT = Path(__file__).resolve().parents[2]
SANDBOX = "services/sandbox"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
DATA = {".csv", ".graphql", ".sql", ".toml"}
FOLDERS = ("bot", "services", "playbooks", "tools", "backend", "sql", "data_in")
BUILD = "import sys, setuptools.build_meta as backend; print(backend.build_wheel(sys.argv[1]))"
pytestmark = pytest.mark.timeout(300)  # it builds two wheels and starts a whole demo
CLOSED = "http://127.0.0.1:9/"  # nothing listens on the discard port


@dataclass(frozen=True)
class Installed:
    """An environment with both wheels. `folder` is empty, and everything is started in it."""

    product: Path
    demo: Path
    programs: Path
    folder: Path

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.programs / words[0], *words[1:]], capture_output=True, text=True, cwd=self.folder, env=variables
        )

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.programs / words[0], *words[1:]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONUNBUFFERED": "1", **variables},
        )


def _tracked() -> list[str]:
    """Return the files that Git tracks, and the untracked ones that it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def _build(sources: Path, into: Path) -> Path:
    done = subprocess.run([sys.executable, "-c", BUILD, str(into)], cwd=sources, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Both wheels, installed without the network: their dependencies come from the environment that runs the tests."""
    place = tmp_path_factory.mktemp("wheel")
    sources, environment = place / "sources", place / "venv"
    for name in _tracked():
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, sources / name)
    product, demo = _build(sources, place), _build(sources / SANDBOX, place)
    shutil.rmtree(sources)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    programs = environment / "bin"
    pip: list[str | Path] = [
        programs / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        product,
        demo,
    ]
    subprocess.run(pip, check=True)
    own = next((environment / "lib").glob("python*/site-packages"))
    (own / "others.pth").write_text(str(Path(pytest.__file__).parents[1]))
    (place / "empty").mkdir()
    return Installed(product, demo, programs, place / "empty")


def _names(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def _is_of_the_demo(name: str) -> bool:
    return name.startswith(f"{SANDBOX}/")


def test_the_wheel_has_the_code_and_the_data_of_its_folders_and_nothing_else(installed: Installed) -> None:
    wanted = {
        name
        for name in _tracked()
        if name.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and Path(name).suffix in DATA | {".py"}
    }

    assert _names(installed.product) == {name for name in wanted if not _is_of_the_demo(name)}


def test_the_wheel_of_the_demo_has_the_sandbox_and_nothing_else(installed: Installed) -> None:
    wanted = {name for name in _tracked() if _is_of_the_demo(name)}

    assert _names(installed.demo) == wanted - {f"{SANDBOX}/pyproject.toml"}


def test_the_wheel_of_the_demo_wants_the_product_of_its_own_version() -> None:
    product, demo = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"] for folder in (".", SANDBOX)
    )

    assert demo["version"] == product["version"]
    assert demo["dependencies"] == [f"{product['name']}[demo]=={product['version']}"]


def _newest_migration() -> str:
    return max((ROOT / "sql/migrations").rglob("*.sql"), key=lambda path: path.name).name.partition("_")[0]


def test_installed_product_answers_outside_the_checkout(installed: Installed) -> None:
    help_page = installed.run("dragonfly", "--help")
    manifest = installed.run("dragonfly", "manifest")
    version = installed.run("dragonfly", "version", "--json")
    configuration = installed.run("dragonfly", "check-config", "--json", ENVIRONMENT="dev", SUPABASE_MODE="dev")

    assert help_page.returncode == 0, help_page.stderr
    assert "rollback" in help_page.stdout
    assert json.loads(manifest.stdout)["settings"]["socket_mode_enabled"] is True
    assert json.loads(version.stdout) == {"version": VERSION, "commit": None, "schema": _newest_migration()}
    assert configuration.returncode == 1, configuration.stderr  # Slack's tokens are missing
    assert "SLACK_BOT_TOKEN" in configuration.stdout
    assert list(installed.folder.iterdir()) == []


def test_installed_product_makes_a_database(installed: Installed, empty_database_urls: DatabaseUrls) -> None:
    variables = {"SUPABASE_DB_URL": empty_database_urls.owner, "ENVIRONMENT": "dev", "SUPABASE_MODE": "dev"}

    done = installed.run("dragonfly", "migrate", **variables)
    golden = installed.run("dragonfly", "golden-path", "--dry-run", **variables)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "cannot be read" not in golden.stdout  # the file with the test data is there


def _get(url: str, process: subprocess.Popen[str]) -> httpx.Response:
    """Return the answer, once there is one."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        while process.poll() is None:
            try:
                return client.get(url)
            except httpx.ConnectError:
                time.sleep(0.05)
    pytest.fail(f"the process ended: {process.communicate()[0]}")


def _read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return its output up to the line with these words, or all of it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            break
    return "".join(lines)


@pytest.fixture
def bot(installed: Installed) -> Iterator[tuple[subprocess.Popen[str], int]]:
    port = find_free_port()
    process = installed.start(
        "python", "-m", "bot", PORT=str(port), SLACK_BOT_TOKEN="xoxb-1", SLACK_APP_TOKEN="xapp-1", SLACK_API_URL=CLOSED
    )
    try:
        yield process, port
    finally:
        process.kill()
        process.communicate()


def test_installed_bot_starts_outside_the_checkout(bot: tuple[subprocess.Popen[str], int]) -> None:
    process, port = bot

    answer = _get(f"http://127.0.0.1:{port}/livez", process)
    process.send_signal(signal.SIGTERM)

    assert answer.json() == {"alive": True}
    assert process.wait(60) == 0


def test_installed_demo_starts_and_stops_outside_the_checkout(installed: Installed) -> None:
    process = installed.start("dragonfly-demo", "--port", "0")
    try:
        page = re.search(r"^Ready after .*(http://\S+)", _read_until(process, "Ready after"), re.M)
        assert page is not None
        assert httpx.get(page[1], trust_env=False, timeout=60).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(90) == 0
    finally:
        process.kill()
        process.communicate()
