"""Write orders as JSON lines: nested objects, arrays, dates, decimals as strings, fields that are now and then missing.

    python make_orders.py orders.jsonl [--count 10000] [--seed 7]

The same seed gives the same file.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CITIES = [("Lisbon", "PT"), ("Göteborg", "SE"), ("Kraków", "PL"), ("Lyon", "FR"), ("Graz", "AT")]
GOODS = [("anvil", 4999), ("rocket skates", 18950), ("bird seed", 399), ("giant magnet", 7525), ("tunnel paint", 1250)]
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def orders(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """`count` orders with the ids 1, 2, 3, ..."""
    dice = random.Random(seed)
    for number in range(1, count + 1):
        placed = START + dt.timedelta(seconds=number * 37, milliseconds=dice.randrange(1000))
        items = [item(dice) for _ in range(dice.randint(1, 4))]
        order: dict[str, Any] = {
            "order_id": number,
            "placed_at": placed.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "deliver_on": (placed.date() + dt.timedelta(days=dice.randint(1, 9))).isoformat(),
            "customer": customer(dice),
            "items": items,
            "total": money(sum(i.pop("cents") for i in items)),
            "express": dice.random() < 0.2,
        }
        if dice.random() < 0.3:
            order["coupon"] = f"SPRING-{dice.randint(10, 99)}"
        yield order


def customer(dice: random.Random) -> dict[str, Any]:
    city, country = dice.choice(CITIES)
    address = {"street": f"{dice.randint(1, 99)} Canyon Road", "city": city, "country": country}
    who: dict[str, Any] = {"customer_id": dice.randint(1, 500), "address": address}
    if dice.random() < 0.8:
        who["email"] = f"customer{who['customer_id']}@example.com"
    return who


def item(dice: random.Random) -> dict[str, Any]:
    name, cents = dice.choice(GOODS)
    quantity = dice.randint(1, 3)
    return {"sku": name, "quantity": quantity, "price": money(cents), "cents": cents * quantity}


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def write(path: Path, count: int, seed: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(order, ensure_ascii=False) + "\n" for order in orders(count, seed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write orders as JSON lines.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    write(given.file, given.count, given.seed)
    print(f"{given.count} orders in {given.file}")
