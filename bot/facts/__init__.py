"""Reads the world into the facts that a playbook needs; a source that fails is a fact too."""

from bot.facts._admission import Admission
from bot.facts._replicas import KnownReplicas
from bot.facts._world import HeartbeatReading, World

__all__ = ["Admission", "HeartbeatReading", "KnownReplicas", "World"]
