"""Drills: rehearse paging with a simulated worker."""
