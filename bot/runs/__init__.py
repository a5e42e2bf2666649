"""Carries approved plans out: a lease, a journal, and a look before every second thought."""
