"""Alerting: the checks of `playbooks/checks/` plus state over time: pending, firing, resolved."""
