"""The record that all codecs are measured with, the way they are, and the table they print.

Every ``*_codec.py`` beside this file times one format with it, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from penstock.data import (
    BOOLEAN,
    FLOAT64,
    INT32,
    INT64,
    OPTIONAL_FLOAT64,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    SchemaBuilder,
)

#: Eight mixed fields. None is of a logical type, which the standard library's JSON could not write.
SCHEMA: Final = (
    SchemaBuilder.struct().name("com.example.Order")
    .field("id", INT64).field("customer", STRING).field("quantity", INT32).field("price", FLOAT64)
    .field("paid", BOOLEAN).field("note", OPTIONAL_STRING).field("discount", OPTIONAL_FLOAT64).field("parent", OPTIONAL_INT64)
    .build()
)  # fmt: skip


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": 1_700_000_000_000 + i, "customer": f"customer-{i % 997}", "quantity": i % 50, "price": round(1.25 * i + 0.01, 2),
            "paid": i % 3 == 0, "note": None if i % 4 else f"note number {i}", "discount": (i % 100) / 100, "parent": None if i % 2 else i,
        }
        for i in range(count)
    ]  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """Microseconds of CPU a record: ours and another's, doing the same work with the same data.

    `at_least` is the bar for theirs ÷ ours, `at_most` the one for ours ÷ theirs, `within` the one for ours; a case has
    one of them or none.
    """

    name: str
    beside: str
    ours: float
    theirs: float
    at_least: float | None = None
    at_most: float | None = None
    within: float | None = None

    @property
    def judged(self) -> tuple[str, str, bool]:
        """Return the number that counts, the bar in words, and whether it is kept."""
        faster = self.theirs / self.ours
        if self.at_most is not None:
            return f"{1 / faster:.2f}x the time", f"≤ {self.at_most:g}x", 1 / faster <= self.at_most
        if self.within is not None:
            return f"{faster:.0f}x faster", f"≤ {self.within:g} us", self.ours <= self.within
        if faster < 1:
            return (
                f"{1 / faster:.1f}x the time",
                "" if self.at_least is None else f"≥ {self.at_least:g}x",
                self.at_least is None,
            )
        kept = self.at_least is None or faster >= self.at_least
        return f"{faster:.1f}x faster", "" if self.at_least is None else f"≥ {self.at_least:g}x", kept

    def row(self) -> list[str]:
        shown, bar, kept = self.judged
        verdict = "" if not bar else "PASS" if kept else "FAIL"
        return [self.name, f"{self.ours:.2f}", self.beside, f"{self.theirs:.2f}", shown, bar, verdict]


HEAD: Final = ["", "us", "beside", "us", "ratio", "bar", ""]


def by_turns(
    ours: Callable[[], object], theirs: Callable[[], object], records: int, rounds: int
) -> tuple[float, float]:
    """Microseconds a record, the best round of each; in turn, so that a busy moment of the machine falls on both."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for which, run in enumerate((ours, theirs)):
            started = time.process_time()
            run()
            best[which] = min(best[which], time.process_time() - started)
    return best[0] / records * 1e6, best[1] / records * 1e6


def each(work: Callable[[Any], object], items: list[Any]) -> Callable[[], None]:
    """A round of `work` over `items`."""

    def run() -> None:
        for item in items:
            work(item)

    return run


def main(
    measure: Callable[[int, int], Iterable[Measured]],
    doc: str | None,
    *,
    records: int = 2_000,
    of: str = "8 mixed fields",
) -> None:
    """The command line of a ``*_codec.py``: a table, or a line of JSON for ``run.py``."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=records, help=f"records a round (default: {records})")
    parser.add_argument("--rounds", type=int, default=30, help="rounds, of which the best counts (default: 30)")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    chosen = parser.parse_args()
    measured = list(measure(chosen.records, chosen.rounds))
    if chosen.json:
        print(json.dumps([asdict(case) for case in measured]))
        return
    from harness import table  # needs a Kafka client, which timing does not

    table(f"{chosen.records} records of {of}, CPU a record", HEAD, [case.row() for case in measured])
