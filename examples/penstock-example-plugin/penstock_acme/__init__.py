"""Acme's plugins for penstock."""

from importlib.metadata import version

__version__ = version("penstock-acme")
