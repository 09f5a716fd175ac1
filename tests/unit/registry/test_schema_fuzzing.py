"""Whatever is sent as a schema is taken or refused: no crash, no hang, no look at network or disk (see schema_fuzzing)."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("schema_fuzzing.py")
#: Nothing but a hang takes so long without a word, on the slowest machine.
SILENCE_S = 120.0
#: Of processor time, for one schema: parsed some eight times, compared six times.
MOST_S = 6.0


def fuzz(kind: str, first: int, count: int) -> dict[str, Any]:
    """The summary of the cases. AssertionError with the case that hung or killed the process."""
    with subprocess.Popen(
        [sys.executable, SCRIPT, kind, str(first), str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()

        def read() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                lines.put(line)
            lines.put("")

        threading.Thread(target=read, daemon=True).start()
        last = "none"
        try:
            while line := lines.get(timeout=SILENCE_S):
                if line.startswith("{"):
                    summary: dict[str, Any] = json.loads(line)
                    return summary
                last = line.strip()
        except queue.Empty:
            raise AssertionError(f"{kind} case {last} takes longer than {SILENCE_S:g} s") from None
        finally:
            process.kill()
        assert process.stderr is not None
        raise AssertionError(f"the process died at {kind} case {last}: {process.stderr.read()[-2000:]}")


@pytest.mark.parametrize("kind", ["AVRO", "JSON", "PROTOBUF"])
def test_mutated_schemas_are_taken_or_refused(
    kind: str, soak: bool, record_property: Callable[[str, object], None]
) -> None:
    summary = fuzz(kind, 0, 100_000 if soak else 1_500)
    record_property("fuzzing", summary)
    print(summary)  # noqa: T201 - the figures of a long run, shown with -rP
    assert not summary["failures"], json.dumps(summary["failures"], indent=1)
    assert summary["taken"] > summary["cases"] // 20, "the mutations are so wild that nothing gets past the first check"
    assert summary["slowest_s"] < MOST_S, summary
    assert summary["peak_mb"] < 500, summary
