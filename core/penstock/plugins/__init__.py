"""Plugins: the hooks they implement, how they are found, and what their names mean."""

from penstock.plugins.discovery import BrokenSource
from penstock.plugins.kinds import PluginInfo, PluginKind
from penstock.plugins.lookup import Lookup
from penstock.plugins.manager import MissingDependencyError, Plugins
from penstock.plugins.settings import PluginSettings

__all__ = ["BrokenSource", "Lookup", "MissingDependencyError", "PluginInfo", "PluginKind", "PluginSettings", "Plugins"]
