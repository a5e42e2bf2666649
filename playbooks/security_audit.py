"""Is the database closed to everybody but our own roles? (runbook, "Pre-Deployment Checklist")

When:   before a deploy, and after anybody changed grants, roles or functions by hand.
Effect: none, it only reads the catalogue.
"""

from __future__ import annotations
