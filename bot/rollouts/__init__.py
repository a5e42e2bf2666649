"""Verifies by itself what somebody deployed, once it has settled, and says so in one message."""
