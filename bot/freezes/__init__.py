"""Freezes: stores them, announces them, and checks them before a run starts."""
