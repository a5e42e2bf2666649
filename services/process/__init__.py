"""What every operated process shares: its environment and how it logs."""
