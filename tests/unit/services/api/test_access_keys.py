from __future__ import annotations

import pytest

from services.api.access import require_key
from services.api.errors import RefusedError
from services.domain.secrets import Secret

KEYS = (Secret("new"), Secret("old"))


@pytest.mark.parametrize("presented", ["new", "old"])
def test_accepts_either_key(presented: str) -> None:
    require_key(presented, KEYS)


@pytest.mark.parametrize("presented", [None, "", "ne", "new ", "NEW", "new,old", "ünïcode"])
def test_refuses_anything_else(presented: str | None) -> None:
    with pytest.raises(RefusedError) as caught:
        require_key(presented, KEYS)

    assert caught.value.status == 401


def test_is_closed_without_any_key() -> None:
    with pytest.raises(RefusedError) as caught:
        require_key("", ())

    assert caught.value.status == 503
