"""Process: says what to do next to collect a judgment."""
