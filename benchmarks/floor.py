"""The bare client: what producing ready bytes or consuming them costs without a worker around it.

    floor.py produce BOOTSTRAP TOPIC RECORDS SAMPLE     SAMPLE: a topic whose first record's bytes are produced
    floor.py consume BOOTSTRAP TOPIC RECORDS

Prints {"cpu": seconds, "wall": seconds}.  The clients' settings are the worker's own; see core/penstock/kafka/clients.py.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from bench_plugin import WARM_UP
from penstock.kafka.clients import ClientKind, KafkaClients


def settings(kind: ClientKind, bootstrap: str) -> dict[str, Any]:
    return KafkaClients({"bootstrap.servers": bootstrap}).settings(kind, {}, "floor")


def sample(bootstrap: str, topic: str) -> bytes:
    consumer = Consumer(settings(ClientKind.CONSUMER, bootstrap) | {"group.id": f"sample-{uuid.uuid4()}"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    message = consumer.poll(30)
    consumer.close()
    if message is None or message.value() is None:
        raise SystemExit(f"topic {topic} holds no sample record")
    return message.value()


def produce(bootstrap: str, topic: str, records: int, sample_topic: str) -> dict[str, float]:
    value = sample(bootstrap, sample_topic)
    producer = Producer(settings(ClientKind.PRODUCER, bootstrap) | {"delivery.report.only.error": True})
    cpu, wall = time.process_time(), time.monotonic()
    for _ in range(records):
        try:
            producer.produce(topic, value)
        except BufferError:
            while len(producer) > 50_000:
                producer.poll(0.05)
            producer.produce(topic, value)
    if producer.flush(120):
        raise SystemExit(f"{len(producer)} records were not delivered")
    return {"cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}


def consume(bootstrap: str, topic: str, records: int) -> dict[str, float]:
    consumer = Consumer(settings(ClientKind.CONSUMER, bootstrap) | {"group.id": f"floor-{uuid.uuid4()}"})
    consumer.subscribe([topic])
    deadline = time.monotonic() + 120
    cpu = wall = 0.0
    left = records + WARM_UP
    while left > 0:
        if not cpu and left <= records:  # the worker's clock starts here too: what is fetched ahead counts for neither
            cpu, wall = time.process_time(), time.monotonic()
        for message in consumer.consume(500, 0.5):
            message.value()
            left -= 1
        if time.monotonic() > deadline:
            raise SystemExit(f"{left} records of {topic} did not come")
    return {"cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}


if __name__ == "__main__":
    what, bootstrap, topic, records, *rest = sys.argv[1:]
    print(
        json.dumps(
            produce(bootstrap, topic, int(records), rest[0])
            if what == "produce"
            else consume(bootstrap, topic, int(records))
        )
    )
