"""Run the quickstart: a file of orders, three transforms, Avro, registry, Kafka, and a file again.

    python examples/quickstart/run.py                      10,000 generated orders
    python examples/quickstart/run.py --file mine.jsonl    your own JSON lines, whatever they hold

Everything after ``--`` goes to ``penstock dev --once``, such as ``-- --bootstrap-servers localhost:9092``.
Exit status 0 only if every record came out once.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import make_orders

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"
#: Settings and transforms of source.json that know what an order is.
ABOUT_ORDERS = ("schema.name", "decimal.fields", "key.field")


def main() -> int:
    given = arguments()
    OUT.mkdir(exist_ok=True)
    result = OUT / "orders-out.jsonl"
    result.unlink(missing_ok=True)
    source, sink = load("source.json"), load("sink.json")
    if given.file is None:
        given.file = OUT / "orders.jsonl"
        make_orders.write(given.file, given.count, seed=7)
        generated = True
    else:
        make_general(source["config"], sink["config"])
        generated = False
    source["config"]["file"] = str(given.file.resolve())
    sink["config"]["file"] = str(result)
    paths = [save(source, "source.json"), save(sink, "sink.json")]

    command = [
        sys.executable,
        "-c",
        "from penstock.cli import main; raise SystemExit(main())",
        "dev",
        "--once",
        *given.more,
        *paths,
    ]
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        print(f"quickstart: penstock dev ended with status {status}", file=sys.stderr)
        return 1
    return check_orders(given.file, result) if generated else check_count(given.file, result)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the quickstart.")
    parser.add_argument("--file", type=Path, help="JSON lines of your own instead of generated orders")
    parser.add_argument("--count", type=int, default=10_000, help="how many orders to generate (10000)")
    parser.add_argument("more", nargs="*", metavar="-- ARGUMENT", help="more arguments for penstock dev")
    given = parser.parse_args()
    if given.file is not None and not given.file.is_file():
        parser.error(f"there is no file {given.file}")
    return given


def make_general(source: dict[str, str], sink: dict[str, str]) -> None:
    """Leave out what only orders have: their key, their decimals, and the transforms that name their fields."""
    for key in ABOUT_ORDERS:
        del source[key]
    source["schema.name"] = "com.example.Record"
    for key in [k for k in source if k.startswith(("transforms.rename.", "transforms.mask."))]:
        del source[key]
    # A chain that works on parts which any record has.
    source["transforms"] = "origin,place,note"
    source["transforms.place.type"] = "org.apache.kafka.connect.transforms.InsertField$Value"
    source["transforms.place.topic.field"] = "penstock_topic"
    source["transforms.note.type"] = "org.apache.kafka.connect.transforms.InsertHeader"
    source["transforms.note.header"] = "via"
    source["transforms.note.value.literal"] = "penstock"
    source["transforms.note.predicate"] = "isOrders"
    source["transforms.origin.static.field"] = "penstock_origin"
    for config in (source, sink):
        config["key.converter"] = "org.apache.kafka.connect.storage.StringConverter"


def load(name: str) -> dict[str, Any]:
    connector: dict[str, Any] = json.loads((HERE / name).read_text("utf-8"))
    return connector


def save(connector: dict[str, Any], name: str) -> str:
    path = OUT / name
    path.write_text(json.dumps(connector, indent=2) + "\n", "utf-8")
    return str(path)


def lines(path: Path) -> list[str]:
    if not path.exists():  # nothing came out at all
        return []
    # Not splitlines: a JSON text may hold line separators that only Unicode knows.
    return [line for line in path.read_text("utf-8-sig").split("\n") if line.strip()]


def check_orders(source: Path, result: Path) -> int:
    """Every order once, and changed exactly as the transforms say."""
    sent = {order["order_id"]: order for order in map(json.loads, lines(source))}
    came = [json.loads(line) for line in lines(result)]
    times = Counter(order["order_id"] for order in came)
    lost = sorted(sent.keys() - times.keys())
    twice = sorted(n for n, count in times.items() if count > 1)
    strange = sorted(times.keys() - sent.keys())
    if lost or twice or strange:
        print(f"quickstart: LOST {lost[:10]}, MORE THAN ONCE {twice[:10]}, UNKNOWN {strange[:10]}", file=sys.stderr)
        return 1
    for order in came:
        order["ordered_at"] = dt.datetime.fromisoformat(order["ordered_at"])
        if order != expected(sent[order["order_id"]]):
            print(f"quickstart: order {order['order_id']} came out changed: {order}", file=sys.stderr)
            return 1
    print(f"checked:          {len(came)} of {len(sent)} orders in {result}, each once and as the transforms say")
    return 0


def expected(order: dict[str, Any]) -> dict[str, Any]:
    """Return what the chain makes of an order; a missing field comes out as null, since the schema knows it."""
    ordered_at = dt.datetime.fromisoformat(order["placed_at"])
    customer = order["customer"] | {"email": order["customer"].get("email")}
    coupon = None if order.get("coupon") is None else "***"
    rest = {k: v for k, v in order.items() if k != "placed_at"}
    return rest | {"ordered_at": ordered_at, "customer": customer, "coupon": coupon, "origin": "quickstart"}


def check_count(source: Path, result: Path) -> int:
    sent, came = len(lines(source)), len(lines(result))
    if sent != came:
        print(f"quickstart: {sent} records in {source}, {came} in {result}", file=sys.stderr)
        return 1
    print(f"checked:          {came} of {sent} records in {result}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
