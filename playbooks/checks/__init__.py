"""One pure function a check; health, doctor, preflight, prod-gate and the alerts all use these same ones."""
