"""Gathers the facts that playbooks need, all sources in parallel."""
