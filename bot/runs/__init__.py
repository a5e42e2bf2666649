"""Executes approved plans under a lease, with a journal, and reads back before it sends anything again."""
