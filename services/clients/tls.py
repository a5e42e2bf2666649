"""The certificate authorities that every HTTPS client trusts, loaded once: each load takes tens of milliseconds."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def trusted_authorities() -> ssl.SSLContext:
    """certifi's authorities, or those of SSL_CERT_FILE or SSL_CERT_DIR. For `verify=` of an httpx client."""
    return httpx.create_ssl_context()
