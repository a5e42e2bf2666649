"""`python -m tools.run_uvicorn`: the runbook's start command of the API."""

from __future__ import annotations

from services.api.__main__ import main

if __name__ == "__main__":
    main()
