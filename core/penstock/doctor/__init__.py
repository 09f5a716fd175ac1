"""Examines a worker's surroundings, and says what is wrong there and what to change. It changes nothing itself."""

from penstock.doctor.check import Check, examine
from penstock.doctor.finding import Finding, Level

__all__ = ["Check", "Finding", "Level", "examine"]
