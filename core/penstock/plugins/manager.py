"""`Plugins`: finds what a name in a config means, and imports it when it is first needed.

One object a worker, made at start, safe from any thread. pluggy collects the hooks; what it leaves open is settled
here: two distributions with one entry-point name, a broken import, two plugins with one name, an observer that raises.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, cast

import pluggy

from penstock.api import Plugin
from penstock.config.lookup import abstract_class_problem
from penstock.errors import ConnectError, PluginError
from penstock.plugins import builtin, hookspecs
from penstock.plugins.discovery import BrokenSource, HookSource, from_entry_points, from_folders, name_of
from penstock.plugins.kinds import PluginInfo, PluginKind, kind_problem
from penstock.plugins.names import exact_names, nearest, python_path, short_names
from penstock.plugins.settings import PluginSettings

__all__ = ["MissingDependencyError", "Plugins"]

_log = logging.getLogger(__name__)


class MissingDependencyError(PluginError):
    """A plugin's library is not installed, and it is known what would install it; the message says so."""


_Index = dict[tuple[PluginKind, str], list[PluginInfo]]


class Plugins:
    """The plugins one worker can use."""

    def __init__(self, sources: Iterable[HookSource | BrokenSource], settings: PluginSettings | None = None) -> None:
        self._settings = settings or PluginSettings()
        self._pm = pluggy.PluginManager("penstock")
        self._pm.add_hookspecs(hookspecs)
        self._broken: list[BrokenSource] = []
        self._sources: list[HookSource] = []
        for source in sources:
            self._take_in(source)
        self._infos = _with_conflicts([i for kind in PluginKind for i in self._announced(kind) if self._enabled(i)])
        self._exact = _index(self._infos, exact_names)
        self._short = _index(self._infos, short_names)
        self._observers = [(source, self._only(source, "penstock_task_failed")) for source in self._sources]
        self._loaded: dict[tuple[PluginKind, str], type] = {}
        self._lock = threading.Lock()

    @classmethod
    def discover(cls, settings: PluginSettings | None = None) -> Plugins:
        """Load all that is installed or lies in the folders of `settings` (default: `PluginSettings.load`)."""
        settings = settings or PluginSettings.load()
        sources: list[HookSource | BrokenSource] = [HookSource("penstock", builtin.__name__, builtin)]
        sources += from_entry_points(settings.disabled)
        sources += from_folders(settings.paths, settings.disabled)
        return cls(sources, settings)

    @classmethod
    def of(cls, *hooks: object, settings: PluginSettings | None = None) -> Plugins:
        """Exactly these modules or objects with hooks; for tests."""
        return cls([HookSource(name_of(h), name_of(h), h) for h in hooks], settings)

    @property
    def broken(self) -> list[BrokenSource]:
        """The announcements that could not be taken in. None of them stops a worker that does not use the plugin."""
        return list(self._broken)

    def infos(self, kind: PluginKind | None = None) -> list[PluginInfo]:
        """Return every plugin that is on, of one kind or of all, by kind and class name. Imports nothing."""
        return [info for info in self._infos if kind is None or info.kind is kind]

    def find(self, kind: PluginKind, name: str) -> PluginInfo:
        """Return what `name` means as a plugin of `kind`. Imports nothing but for a Python path nobody announced.

        Raises `PluginError` for a name that is unknown (with the nearest known ones) or claimed twice.
        """
        info = self.find_or_none(kind, name)
        if info is None:
            raise PluginError(self._unknown(kind, name.strip()))
        return info

    def find_or_none(self, kind: PluginKind, name: str) -> PluginInfo | None:
        """Return the same as `find`, None if the name is unknown. Raises `PluginError` for a name that two claim."""
        name = name.strip()
        alias = self._settings.aliases.get(name)
        for wanted in (name, alias) if alias else (name,):
            for index in (self._exact, self._short):
                if found := index.get((kind, wanted)):
                    return _the_one(kind, name, found)
        return _by_python_path(kind, name)

    def concrete_names(self, kind: PluginKind, name: str) -> list[str]:
        """Return the names that stand for a part of what `name` means: ``X$Key`` and ``X$Value`` for ``X``. None if it has no parts."""
        name = name.strip()
        parts = (f"{name}$Key", f"{name}$Value", f"{name}.key", f"{name}.value")
        return [part for part in parts if (kind, part) in self._exact or (kind, part) in self._short]

    def load(self, kind: PluginKind, name: str) -> type:
        """The class that `name` means, imported now if it was not. Raises `PluginError`."""
        info = self.find(kind, name)
        with self._lock:
            loaded = self._loaded.get((kind, info.plugin.target))
        if loaded is None:
            # Outside the lock: an import may take seconds, and imports have locks of their own.
            loaded = self.import_class(info)
            with self._lock:
                loaded = self._loaded.setdefault((kind, info.plugin.target), loaded)
        return loaded

    def new(self, kind: PluginKind, name: str) -> Any:
        """A fresh, unconfigured instance. Raises `PluginError`."""
        loaded = self.load(kind, name)
        try:
            return loaded()
        except ConnectError:
            raise
        except Exception as error:
            info = self.find(kind, name)
            raise PluginError(
                f"The {kind.word} {name!r} ({info.plugin.target}) of {info.distribution} could not be instantiated: "
                f"{type(error).__name__}: {error}"
            ) from error

    def import_class(self, info: PluginInfo) -> type:
        """The class of `info`, imported and checked to be of its kind. Raises `PluginError` saying whose fault it is."""
        module_name, _, attributes = info.plugin.target.partition(":")
        who = f"The {info.kind.word} {info.plugin.name!r} of {info.distribution}"
        try:
            loaded: object = importlib.import_module(module_name)
            for attribute in attributes.split("."):
                loaded = getattr(loaded, attribute)
        except ModuleNotFoundError as error:
            raise self._missing(info, who, error.name or "") from error
        except Exception as error:
            raise PluginError(
                f"{who} cannot be imported ({info.plugin.target}): {type(error).__name__}: {error}"
            ) from error
        if (problem := kind_problem(info.kind, loaded)) is not None:
            raise PluginError(f"{who} is not a {info.kind.word}: {info.plugin.target}: {problem}")
        return cast("type", loaded)

    def task_failed(self, connector: str, task: int, error: BaseException) -> None:
        """Tell every observer. One that raises is logged with whose it is; the others hear all the same."""
        for source, tell in self._observers:
            try:
                tell(connector=connector, task=task, error=error)
            except Exception:
                _log.exception("The hook penstock_task_failed of %s (%s) failed", source.distribution, source.name)

    def _take_in(self, source: HookSource | BrokenSource) -> None:
        if isinstance(source, HookSource):
            try:
                if self._pm.register(source.hooks, f"{source.distribution}:{source.name}") is not None:
                    self._sources.append(source)
                    self._report_unknown_hooks(source)
                return
            except Exception as error:  # pluggy's validation, or an attribute of a stranger's object that raises
                source = BrokenSource(source.distribution, source.name, f"its hooks are not usable: {error}")
        self._report(source)

    def _report(self, broken: BrokenSource) -> None:
        self._broken.append(broken)
        _log.warning("Plugins of %s (%s) are not available: %s", broken.distribution, broken.name, broken.error)

    def _report_unknown_hooks(self, source: HookSource) -> None:
        known = [name for name in dir(hookspecs) if name.startswith("penstock_")]
        for caller in self._pm.get_hookcallers(source.hooks) or ():
            if not caller.has_spec():
                near = nearest(caller.name, known, 1) or known
                text = f"there is no hook {caller.name}; did it mean {near[0]}?"
                self._report(BrokenSource(source.distribution, source.name, text))

    def _only(self, source: HookSource, hook: str) -> Callable[..., list[Any]]:
        others = [other.hooks for other in self._sources if other is not source]
        return self._pm.subset_hook_caller(hook, others)

    def _announced(self, kind: PluginKind) -> Iterable[PluginInfo]:
        for source in self._sources:
            try:
                for plugin in [p for answer in self._only(source, kind.hook)() for p in answer]:
                    if not isinstance(plugin, Plugin):
                        raise TypeError(f"it returned {plugin!r} where a penstock.api.Plugin is expected")
                    yield PluginInfo(kind, plugin, source.distribution)
            except Exception as error:
                text = f"{kind.hook} failed: {type(error).__name__}: {error}"
                self._report(BrokenSource(source.distribution, source.name, text))

    def _enabled(self, info: PluginInfo) -> bool:
        names = {*exact_names(info.plugin), info.distribution, f"{info.distribution}/{info.plugin.name}"}
        return not names & self._settings.disabled

    def suggestions(self, name: str, kind: PluginKind | None = None) -> list[str]:
        """The names most like `name`, at most three, each of another plugin."""
        best: list[str] = []
        for info in self.infos(kind):
            best += nearest(name, (info.plugin.name, *info.plugin.aliases, *short_names(info.plugin)), 1)
        return nearest(name, best)

    def advice(self, kind: PluginKind, name: str) -> str:
        """Return what to do about an unknown name: the nearest known ones, and what would install it."""
        parts = []
        if near := self.suggestions(name, kind):
            parts.append(f"The nearest known: {', '.join(near)}.")
        if name in self._settings.disabled:
            parts.append("It is disabled in plugins.toml.")
        if requirement := self._settings.install.get(name):
            parts.append(f'To install it: pip install "{requirement}".')
        for broken in self._broken:
            parts.append(f"Plugins of {broken.distribution} could not be taken in ({broken.error}).")
        parts.append("`penstock plugins` lists what there is.")
        return " ".join(parts)

    def _unknown(self, kind: PluginKind, name: str) -> str:
        if concrete := self.concrete_names(kind, name):
            return f"Class {name}: {abstract_class_problem(concrete)}"
        return f"No {kind.word} is known by the name {name!r}. {self.advice(kind, name)}"

    def _missing(self, info: PluginInfo, who: str, module: str) -> PluginError:
        package = module.partition(".")[0]
        if package == info.plugin.target.partition(":")[0].partition(".")[0]:
            return PluginError(f"{who} cannot be imported: its own module {module!r} does not exist")
        text = f"{who} needs the module {module!r}, which is not installed."
        for name in (*exact_names(info.plugin), module, package):
            if requirement := self._settings.install.get(name):
                return MissingDependencyError(f'{text} To install it: pip install "{requirement}"')
        return PluginError(f"{text} It is for {info.distribution} to say what provides it.")


def _index(infos: Iterable[PluginInfo], names: Callable[[Plugin], list[str]]) -> _Index:
    index: _Index = {}
    for info in infos:
        for name in names(info.plugin):
            index.setdefault((info.kind, name), []).append(info)
    return index


def _with_conflicts(infos: list[PluginInfo]) -> list[PluginInfo]:
    """Return the plugins, with an error that names both on each whose name or class name another one claims, too."""
    claims = _index(infos, exact_names)
    marked = []
    for info in infos:
        for name in exact_names(info.plugin):
            rivals = [r for r in claims[info.kind, name] if _identity(r) != _identity(info)]
            if rivals and info.error is None:
                info = replace(info, error=_claimed_twice(info.kind, name, [info, *rivals]))
        marked.append(info)
    return sorted(marked, key=lambda i: (list(PluginKind).index(i.kind), i.class_name, i.distribution))


def _identity(info: PluginInfo) -> tuple[str, str]:
    """Two descriptors of one distribution for one class (a further name for it) are no conflict."""
    return info.distribution, info.plugin.target


def _claimed_twice(kind: PluginKind, name: str, claimants: list[PluginInfo]) -> str:
    who = " and ".join(sorted(f"{c.distribution} ({c.plugin.target})" for c in claimants))
    choices = " or ".join(sorted(f'"{c.distribution}/{c.plugin.name}"' for c in claimants))
    return f"The {kind.word} name {name!r} is claimed by {who}. Disable one in plugins.toml: disabled = [{choices}]"


def _the_one(kind: PluginKind, name: str, found: list[PluginInfo]) -> PluginInfo:
    if len({_identity(info) for info in found}) > 1:
        raise PluginError(_claimed_twice(kind, name, found))
    return found[0]


def _by_python_path(kind: PluginKind, name: str) -> PluginInfo | None:
    """A class that no plugin announces, named by its Python path; None if its module does not exist."""
    module, separator, attribute = name.partition(":") if ":" in name else name.rpartition(".")
    if not separator or not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
        return None
    try:
        if importlib.util.find_spec(module) is None:
            return None
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            return None
        raise PluginError(f"Importing {module!r} for the {kind.word} {name!r} failed: {error}") from error
    except Exception as error:  # finding a submodule imports its parents, and those may do anything
        raise PluginError(f"Importing {module!r} for the {kind.word} {name!r} failed: {error}") from error
    target = f"{module}:{attribute}"
    return PluginInfo(kind, Plugin(python_path(target), target, version="undefined"), "the Python path")
