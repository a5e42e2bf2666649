"""One file per procedure of the runbook. Pure: facts in, findings or a plan out."""
