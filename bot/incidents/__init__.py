"""Threads, escalation levels, on-call, timeline, postmortem: what happens once people are paged."""
