"""Words and rules shared by every part; pure."""
