"""Uploaded files and their three-step upload."""

import secrets
from urllib.parse import quote

from services.sandbox.slack.model import File, Json

MAX_FILES = 200


class FileStore:
    def __init__(self) -> None:
        self._files: dict[str, File] = {}

    def find(self, file_id: str) -> File | None:
        return self._files.get(file_id)

    def reserve(self, name: str, size: int, *, user: str, alt_text: str = "") -> File:
        """Step 1: a place to upload to. `size` is in bytes."""
        file = File("F" + secrets.token_hex(5).upper(), name, size, user, title=name, alt_text=alt_text)
        self._files[file.id] = file
        while len(self._files) > MAX_FILES:
            del self._files[next(iter(self._files))]
        return file


def file_path(file: File) -> str:
    """Where its bytes are served."""
    return f"/slack/files/{file.id}/{quote(file.name, safe='')}"


def file_json(file: File, *, created: int, base_url: str) -> Json:
    url = f"{base_url}{file_path(file)}"
    return {
        "id": file.id,
        "created": created,
        "name": file.name,
        "title": file.title,
        "size": file.size,
        "user": file.user,
        "alt_txt": file.alt_text,
        "mimetype": mimetype(file.name),
        "url_private": url,
        "permalink": url,
        "channels": list(file.channels),
    }


def mimetype(name: str) -> str:
    known = {"png": "image/png", "json": "application/json", "csv": "text/csv", "md": "text/markdown"}
    return known.get(name.rpartition(".")[2].lower(), "text/plain")
