"""Process: shows what to do next to collect a judgment."""
