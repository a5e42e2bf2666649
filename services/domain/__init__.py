"""Types and rules that every part of the system shares; pure, without I/O."""
