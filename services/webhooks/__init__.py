"""Addresses outside that we call: pagers, and the monitor of the bot itself."""
