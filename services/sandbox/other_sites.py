"""Keeps other sites, which a person may have open beside the demo, away from what the sandbox can break."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Request
from starlette.middleware.trustedhost import TrustedHostMiddleware

OWN_HOSTS = ("127.0.0.1", "localhost")


def serve_own_hosts_only(app: FastAPI) -> None:
    """Refuse (400) a foreign name for this machine: after DNS rebinding a browser takes it for the same site."""
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(OWN_HOSTS), www_redirect=False)


def refuse_other_sites(request: Request) -> None:
    """Another site must not stop somebody's Postgres: browsers say who asks. Raises 403."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "Only the sandbox's own page may do this")
