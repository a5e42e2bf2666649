"""Reads what each change needs, every source at the same time."""
