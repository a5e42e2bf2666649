"""The worker runtime: claim a job, handle it, settle it; send heartbeats meanwhile; stop in order."""
