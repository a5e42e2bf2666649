"""Rehearsals: from a made-up worker that falls silent to a person who answers."""
