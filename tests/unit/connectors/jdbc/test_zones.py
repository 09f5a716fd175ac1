"""Zones by Java's names."""

import datetime as dt

import pytest

from penstock.errors import ConfigError
from penstock_connectors.jdbc.zones import time_zone

NOON = dt.datetime(2024, 7, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("UTC", 0), ("Z", 0), ("GMT", 0), ("America/New_York", -4), ("PST", -7), ("EST", -5), ("+05:30", 5.5),
        ("-0330", -3.5), ("UTC+2", 2), ("GMT-03:00", -3), ("+18:00", 18), ("UTC+00:00", 0),
    ],
)  # fmt: skip
def test_a_zone_has_javas_name(name: str, hours: float) -> None:
    assert NOON.astimezone(time_zone("db.timezone", name)).utcoffset() == dt.timedelta(hours=hours)


def test_every_name_of_utc_is_utc_itself() -> None:
    assert all(time_zone("z", name) is dt.UTC for name in ("UTC", "Z", "GMT", "UTC+00:00", "+0"))


@pytest.mark.parametrize("name", ["Nowhere", "", "+19:00", "+01:75", "../etc/passwd", "utc+"])
def test_another_name_is_refused_with_the_settings_name(name: str) -> None:
    with pytest.raises(ConfigError, match=r"for configuration db\.timezone: Invalid time zone"):
        time_zone("db.timezone", name)
