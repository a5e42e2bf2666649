"""Incidents: threads, paging, escalation, timelines, triage and follow-ups, from the first alert to the resolution."""
