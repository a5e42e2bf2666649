"""The GraphQL documents of the reads, one file per operation; a test validates each against Railway's full schema."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).parent
_DEPLOYMENT = (_FOLDER / "fragment_deployment.graphql").read_text(encoding="utf-8")


def _load(path: Path) -> str:
    document = path.read_text(encoding="utf-8")
    return document + _DEPLOYMENT if "...deployment" in document else document


# {file name without extension: document}
DOCUMENTS: Mapping[str, str] = {
    path.stem: _load(path) for path in sorted(_FOLDER.glob("*.graphql")) if not path.stem.startswith("fragment_")
}
