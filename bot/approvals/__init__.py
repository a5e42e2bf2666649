"""Permissions, requests, approvals and emergency self-approval."""
