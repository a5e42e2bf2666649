"""Drills: paging tried out with a simulated worker."""
