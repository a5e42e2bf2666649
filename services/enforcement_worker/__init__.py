"""Process: finds the next step to collect each judgment."""
