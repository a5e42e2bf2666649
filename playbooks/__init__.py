"""One file a procedure of the runbook. Pure: facts in, findings or a plan out."""
