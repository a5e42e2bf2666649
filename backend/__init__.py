"""The runbook's names of the workers, which live in `services`."""
