"""Buttons, modals and shortcuts: what a payload asks for."""
