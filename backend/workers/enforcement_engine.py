"""`python -m backend.workers.enforcement_engine`: the runbook's start command of this worker."""

from __future__ import annotations

import sys

from services.enforcement_worker.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
