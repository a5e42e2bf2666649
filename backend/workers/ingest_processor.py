"""`python -m backend.workers.ingest_processor`: the runbook's start command of this worker."""

from __future__ import annotations

import sys

from services.ingest_worker.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
