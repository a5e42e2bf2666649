"""Check that the database is closed to all roles but our own (runbook, "Pre-Deployment Checklist")

When:   before a deploy, and after grants, roles or functions were changed by hand.
Effect: none, it only reads the catalogue.
"""

from __future__ import annotations
