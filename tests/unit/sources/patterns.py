"""Every pattern of Python's ``re`` in the sources, and the texts that cost it most."""

from __future__ import annotations

import ast
import importlib
import re
import re._constants as sre  # type: ignore[import-not-found]  # no stubs: the parser is not public
import re._parser as parser  # type: ignore[import-not-found]
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
ROOMS = {
    "core": "penstock",
    "converters": "penstock_converters",
    "transforms": "penstock_transforms",
    "registry": "penstock_registry",
    "connectors": "penstock_connectors",
}
FUNCTIONS = ("compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer")


@dataclass(frozen=True)
class Found:
    """A pattern in a module: how it is written, what it is, and with which methods it is used."""

    module: str
    source: str
    pattern: re.Pattern[Any] | None
    methods: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.module}: {self.source[:60]}"


def all_patterns() -> Iterator[Found]:
    for folder, package in ROOMS.items():
        for path in sorted((ROOT / folder / package).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if "testing" in parts:
                continue
            yield from _patterns_of(".".join(p for p in parts if p != "__init__"), path.read_text())


def _patterns_of(module: str, text: str) -> Iterator[Found]:
    tree = ast.parse(text)
    calls = [node for node in ast.walk(tree) if _is_call_of_re(node)]
    if not calls:
        return
    namespace = vars(importlib.import_module(module))
    names = {id(node.value): name for node in ast.walk(tree) for name in _assigned(node)}
    for call in calls:
        assert isinstance(call, ast.Call)
        function = call.func.attr  # type: ignore[attr-defined]
        methods = (function,) if function != "compile" else _methods(tree, names.get(id(call)))
        yield Found(module, ast.unparse(call.args[0]), _evaluated(call, namespace), methods)


def _is_call_of_re(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in FUNCTIONS
    )


def _assigned(node: ast.AST) -> list[str]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _methods(tree: ast.AST, name: str | None) -> tuple[str, ...]:
    """Return the methods a module calls on the pattern of this name; all that look anywhere if it does not show."""
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }
    return tuple(sorted(used & set(FUNCTIONS))) or ("fullmatch", "search")


def _evaluated(call: ast.Call, namespace: dict[str, Any]) -> re.Pattern[Any] | None:
    """Return the compiled pattern, None if it is only known when the code runs."""
    flags = [k.value for k in call.keywords if k.arg == "flags"]
    if call.func.attr == "compile":  # type: ignore[attr-defined]
        flags += call.args[1:]
    try:
        evaluated = [eval(compile(ast.Expression(n), "", "eval"), namespace) for n in (call.args[0], *flags)]
        return re.compile(*evaluated)
    except (NameError, TypeError):
        return None


# ---------------------------------------------------------------------------------------------------- worst texts


def worst_texts(pattern: re.Pattern[Any]) -> Iterator[Callable[[int], Any]]:
    """Yield functions from a length to a text: beginnings of what matches, then repetitions, then something else."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    sample = _shortest(tree)
    chars = list(dict.fromkeys(_representatives(tree)))[:10] or ["a"]
    units = [*chars, *(a + b for a in chars[:4] for b in chars[:4] if a != b)]
    for prefix in dict.fromkeys(sample[:n] for n in (0, 1, 2, len(sample) // 2, len(sample) - 1, len(sample))):
        for unit in units:
            for suffix in ("", "\x01"):
                yield lambda n, p=prefix, u=unit, s=suffix: _typed(pattern, p + u * (n // len(u)) + s)  # type: ignore[misc]


def _typed(pattern: re.Pattern[Any], text: str) -> Any:
    return text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")


def _representatives(tree: Any) -> Iterator[str]:
    """Yield characters of each literal and class in a pattern, and one that is in none."""
    for operation, argument in tree:
        if operation in (sre.LITERAL, sre.NOT_LITERAL):
            yield chr(argument)
        elif operation is sre.RANGE:
            yield chr(argument[0])
        elif operation is sre.CATEGORY:
            yield {sre.CATEGORY_DIGIT: "0", sre.CATEGORY_SPACE: " ", sre.CATEGORY_WORD: "a"}.get(argument, "-")
        elif operation is sre.ANY:
            yield "x"
        elif operation is sre.IN:
            yield from _representatives(argument)
        elif operation is sre.BRANCH:
            for branch in argument[1]:
                yield from _representatives(branch)
        elif operation is sre.SUBPATTERN:
            yield from _representatives(argument[3])
        elif operation in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            yield from _representatives(argument[2])
        elif operation in (sre.ASSERT, sre.ASSERT_NOT):
            yield from _representatives(argument[1])
        elif operation is sre.ATOMIC_GROUP:
            yield from _representatives(argument)


def _shortest(tree: Any) -> str:
    """Return a text that the pattern matches, as short as it comes (lookaround is not looked at)."""
    return "".join(_shortest_piece(operation, argument) for operation, argument in tree)


def _shortest_piece(operation: Any, argument: Any) -> str:
    if operation is sre.LITERAL:
        return chr(argument)
    if operation is sre.NOT_LITERAL:
        return "a" if argument != ord("a") else "b"
    if operation is sre.ANY:
        return "x"
    if operation is sre.IN:
        return _member(argument)
    if operation is sre.BRANCH:
        return min((_shortest(branch) for branch in argument[1]), key=len)
    if operation is sre.SUBPATTERN:
        return _shortest(argument[3])
    if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        return _shortest(argument[2]) * int(argument[0])
    return _shortest(argument) if operation is sre.ATOMIC_GROUP else ""


def _member(items: Any) -> str:
    if items[0][0] is not sre.NEGATE:
        return next(iter(_representatives(items[:1])))
    excluded = set(_representatives(items[1:]))
    return next(c for c in "axy0-_ ~" if c not in excluded)


# ---------------------------------------------------------------------------------------------------- cost


def is_superlinear(run: Callable[[Any], object], text: Callable[[int], Any], longest: int) -> bool:
    """Tell whether the processor time of `run` grows faster than the text. Stops long before it gets unbearable."""
    before = 0.0
    for length in (24, 64, 256, longest // 8, longest):
        took = min(_cost(run, text(length)) for _ in range(1 if before < 0.001 else 2))
        if length <= 256:
            if took > 0.05:
                return True
        elif (
            length == longest and took > 0.02 and took > before * 24
        ) or took > 0.5:  # eight times the text: linear is 8, quadratic 64
            return True
        before = took
    return False


def _cost(run: Callable[[Any], object], text: Any) -> float:
    start = time.thread_time()
    run(text)
    return time.thread_time() - start


def runner(pattern: re.Pattern[Any], method: str) -> Callable[[Any], object]:
    if method in ("sub", "subn"):
        return lambda text: getattr(pattern, method)(text[:0], text)
    if method == "finditer":
        return lambda text: sum(1 for _ in pattern.finditer(text))
    return getattr(pattern, method)  # type: ignore[no-any-return]
