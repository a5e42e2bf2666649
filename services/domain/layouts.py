"""What kinds of files the intake reads, by the `source_system` that an upload names."""

from __future__ import annotations

from collections.abc import Mapping

from services.domain import payments, simplicity
from services.domain.headers import Layout

LAYOUTS: Mapping[str, Layout] = {
    simplicity.SOURCE_SYSTEM: simplicity.LAYOUT,
    payments.SOURCE_SYSTEM: payments.LAYOUT,
}
