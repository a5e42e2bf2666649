"""The runbook's names of things that live elsewhere in this repository."""
