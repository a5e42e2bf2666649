"""Freezes: stored, announced, and asked before a run starts."""
