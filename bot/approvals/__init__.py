"""Who may do what, and what exactly was approved."""
