"""The worker runtime: claim a job, handle it, settle it; beat meanwhile; stop in an orderly way."""
