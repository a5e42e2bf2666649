"""Watches the bot's own files: the policy, the alert rules, and the base classes for the on-call file's watch."""
