"""Sources that run for long: their memory stays flat, and offsets are committed on every interval.

The long form (ten minutes) runs with ``--soak``.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.source_worker import Source, SourceWorker

KINDS = {
    "confirmed": {"connector.class": "lab.sources:ConfirmedCountingSource"},
    "tolerant": {"connector.class": "lab.sources:CountingSource", "errors.tolerance": "all"},
    "plain": {"connector.class": "lab.sources:CountingSource"},
}
#: What a record would take if it were kept: 180 bytes, and rate times seconds of them.
KEPT_BYTES = 180


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


@pytest.fixture
def name(topic: Callable[..., str]) -> str:
    return topic(partitions=2, retention_bytes="50000000", segment_bytes="10000000")


def _run(kafka: str, name: str, folder: Path, kinds: list[str], rate: int, warm_s: float, run_s: float) -> None:
    worker = SourceWorker(folder, kafka)
    with worker.start() as running:
        config = {"topic": name, "rate": str(rate), "sources": "4"}
        sources = [Source(worker, running, f"{name}-{kind}", {**config, **KINDS[kind]}) for kind in kinds]
        for source in sources:
            source.wait(lambda source=source: len(source.offsets) == 4, "the first offsets")
        time.sleep(warm_s)
        before = _resident(running.process.pid)
        started = [sum(source.offsets.values()) for source in sources]
        begun = time.monotonic()
        last = started
        while time.monotonic() - begun < run_s:
            time.sleep(2.0)  # several commit intervals
            now = [sum(source.offsets.values()) for source in sources]
            assert all(a > b for a, b in zip(now, last, strict=True)), "no offset was committed on an interval"
            last = now
        grown = _resident(running.process.pid) - before
        records = sum(last) - sum(started)
        assert running.stop() == 0
    assert records > 1000 * run_s
    # A quarter of what keeping each record would take, and what an allocator may do beside that.
    assert grown < records * KEPT_BYTES / 4 + 3_000_000, f"{grown:,} bytes more after {records:,} records"


def test_memory_stays_flat_and_offsets_are_committed_on_every_interval(kafka: str, name: str, tmp_path: Path) -> None:
    _run(kafka, name, tmp_path, ["confirmed", "tolerant"], rate=10_000, warm_s=4, run_s=12)


@pytest.mark.soak
@pytest.mark.parametrize("kind", list(KINDS))
def test_memory_stays_flat_for_ten_minutes_at_20_000_records_a_second(
    kafka: str, name: str, tmp_path: Path, kind: str
) -> None:
    _run(kafka, name, tmp_path, [kind], rate=20_000, warm_s=30, run_s=570)
