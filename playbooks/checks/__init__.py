"""One pure function per check; health, doctor, preflight, prod-gate and the alerts use the same ones."""
