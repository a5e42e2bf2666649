"""Executes approved plans under a lease, with a journal; reads the outcome back before it sends anything again."""
