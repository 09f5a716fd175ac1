"""Names for classes that a test has and no module: a configuration names its plugins, and Python finds them by that."""

from __future__ import annotations

import importlib
import importlib.util
import threading
from typing import Any, Final

__all__ = ["path_of"]

_lock: Final = threading.Lock()
_given: Final[dict[str, type]] = {}


def path_of(kind: type) -> str:
    """Return a Python path (``module:Class``) under which `kind` can be imported."""
    if _found(kind.__module__, kind.__qualname__) is kind:
        return f"{kind.__module__}:{kind.__qualname__}"
    with _lock:
        name = next((name for name, known in _given.items() if known is kind), None)
        if name is None:
            name = f"{kind.__name__}_{len(_given)}"
            _given[name] = kind
    return f"{__name__}:{name}"


def _found(module: str, attributes: str) -> object:
    try:
        if importlib.util.find_spec(module) is None:
            return None
        found: object = importlib.import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (ImportError, AttributeError, ValueError):  # ValueError: a module that was put together by hand
        return None
    return found


def __getattr__(name: str) -> Any:
    with _lock:
        found = _given.get(name)
    if found is None:
        raise AttributeError(name)
    return found
