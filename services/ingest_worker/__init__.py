"""Process: turns uploaded rows into judgments."""
