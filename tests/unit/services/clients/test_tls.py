"""The certificate authorities: loaded once, and trusted by every HTTPS client."""

from __future__ import annotations

import ast
import ssl

from services.clients.tls import trusted_authorities
from tests.source import CODE, ROOT, parsed

BUILDERS = {"AsyncClient", "AsyncHTTPTransport"}


def test_trusted_authorities_check_certificates_and_are_cached() -> None:
    context = trusted_authorities()

    assert context is trusted_authorities()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.get_ca_certs()


def test_no_client_loads_its_own() -> None:
    """A client without them loads its own: 40 ms of processor time at every start."""
    built = [
        (path.relative_to(ROOT).as_posix(), {keyword.arg for keyword in node.keywords})
        for path, tree in parsed(*CODE, where=lambda text: any(builder in text for builder in BUILDERS))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in BUILDERS
    ]

    assert built
    assert [path for path, keywords in built if "verify" not in keywords] == []
