"""How long may the client's fetcher pause? Reads a topic as a sink task does, with several values of ``fetch.queue.backoff.ms``.

``fetch_pause.py BOOTSTRAP [RECORDS] [BYTES] [PARTITIONS] [WORK_US]`` prints, for each value, records a second, CPU
microseconds a record, and the peak of memory, of a process of its own. WORK_US is what the reader does with a record.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

PAUSES = (1000, 100, 20, 10, 1)


def fill(bootstrap: str, topic: str, records: int, size: int, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50})
    value = os.urandom(size)
    for number in range(records):
        while True:
            try:
                producer.produce(topic, value=value, partition=number % partitions)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def read(bootstrap: str, topic: str, records: int, work: float, pause: int) -> dict[str, float]:
    settings: dict[str, Any] = {"bootstrap.servers": bootstrap, "group.id": f"pause-{time.time_ns()}"}
    settings |= {"auto.offset.reset": "earliest", "fetch.queue.backoff.ms": pause}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    read, begin, cpu = 0, 0.0, 0.0
    while read < records:
        first = consumer.poll(1.0)
        if first is None:
            continue
        if not begin:
            begin, cpu = time.perf_counter(), time.process_time()
        count = 1 + len(consumer.consume(499, 0))
        read += count
        end = time.perf_counter() + work * count
        while time.perf_counter() < end:
            pass
    taken, cpu = time.perf_counter() - begin, time.process_time() - cpu
    peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert peak is not None
    return {"rate": read / taken, "cpu": cpu / read * 1e6, "peak": int(peak[1]) / 1024}


def main() -> None:
    bootstrap = sys.argv[1]
    if sys.argv[2] == "--read":
        topic, records, work, pause = sys.argv[3], int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6])
        print(json.dumps(read(bootstrap, topic, records, work, pause)))
        return
    records, size, partitions, work = (
        float(v) for v in (*sys.argv[2:], *("1000000", "100", "1", "3")[len(sys.argv) - 2 :])
    )
    topic = f"pause-{time.time_ns()}"
    fill(bootstrap, topic, int(records), int(size), int(partitions))
    print(f"{int(records)} records of {int(size)} bytes in {int(partitions)} partitions, {work:g} us of work each")
    for pause in PAUSES:
        command = [sys.executable, __file__, bootstrap, "--read", topic, str(int(records)), str(work / 1e6), str(pause)]
        runs = [
            json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)
        ]
        rate, cpu, peak = (sorted(run[name] for run in runs)[1] for name in ("rate", "cpu", "peak"))
        print(f"  pause {pause:5} ms: {rate / 1000:6.0f} k/s  {cpu:5.2f} us  {peak:4.0f} MB", flush=True)


if __name__ == "__main__":
    main()
