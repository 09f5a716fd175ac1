"""A check, and how checks are run one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple, Protocol

from penstock.doctor.finding import Finding, broken, skipped
from penstock.errors import ConnectError

__all__ = ["Check", "Result", "examine"]


class Check(Protocol):
    """Looks at one kind of thing. `name` is the heading of its findings; `needs` names the checks without which it can
    say nothing."""

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]: ...

    def findings(self) -> Iterable[Finding]:
        """Yield what is found. A `ConnectError` that it raises becomes a finding of its own: the check could not go on."""


class Result(NamedTuple):
    """A check's name and its finding."""

    check: str
    finding: Finding


def examine(checks: Iterable[Check], shown: Callable[[str], str] = str) -> Iterator[Result]:
    """Run `checks` in their order and yield what they find, as they find it.

    `shown` takes out of a text what must not be seen. A check whose needs are blocked is skipped; what its code does wrong
    does not keep the others from running.
    """
    blocked: set[str] = set()
    for check in checks:
        if missing := [name for name in check.needs if name in blocked]:
            yield Result(check.name, skipped(check.name, f"not looked at: {missing[0]} is broken"))
            blocked.add(check.name)
            continue
        for finding in _safely(check):
            if finding.blocks:
                blocked.add(check.name)
            yield Result(
                check.name,
                replace(
                    finding,
                    about=shown(finding.about),
                    message=shown(finding.message),
                    advice=shown(finding.advice),
                ),
            )


def _safely(check: Check) -> Iterator[Finding]:
    try:
        yield from check.findings()
    except ConnectError as error:
        yield broken(check.name, error.message, blocks=True)
    except Exception as error:
        yield broken(check.name, f"the check itself failed: {type(error).__name__}: {error}", blocks=True)
