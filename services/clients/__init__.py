"""One client per system that we call."""
