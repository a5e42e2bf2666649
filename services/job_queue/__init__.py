"""The worker runtime: claims a job, handles it and settles it; sends heartbeats meanwhile; stops in order."""
