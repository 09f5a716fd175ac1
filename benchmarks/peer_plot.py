"""Draws the rows of ``peer.py`` as bars: how many times the JVM worker's records a second, and its CPU a record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

__all__ = ["plot"]

_ROW: Final = 34
_LEFT: Final = 300
_WIDTH: Final = 420
#: The ratios at the ends of the scale, which is logarithmic: half and twice are equally far from 1.
_LOW: Final = 0.1
_HIGH: Final = 10.0
_RATE: Final = "#2a7f62"
_CPU: Final = "#b5803a"


def plot(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG of the ratios in `rows`."""
    height = 70 + _ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 80}" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{_LEFT}" y="20" fill="{_RATE}">records a second: right is faster than the JVM</text>',
        f'<text x="{_LEFT}" y="38" fill="{_CPU}">CPU a record: left is cheaper than the JVM</text>',
    ]
    for ratio in (0.1, 0.25, 0.5, 1, 2, 4, 10):
        x = _place(ratio)
        colour = "#444" if ratio == 1 else "#ddd"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="58" y2="{height}" stroke="{colour}"/>')
        parts.append(f'<text x="{x:.1f}" y="54" text-anchor="middle" fill="#777" font-size="11">{ratio:g}</text>')
    for number, row in enumerate(rows):
        top = 64 + number * _ROW
        parts.append(f'<text x="{_LEFT - 10}" y="{top + 18}" text-anchor="end">{escape(row["case"])}</text>')
        parts.append(_bar(top + 2, row["rate_ratio"], _RATE))
        parts.append(_bar(top + 15, row["cpu_ratio"], _CPU))
    return "\n".join([*parts, "</svg>", ""])


def _place(ratio: float) -> float:
    clipped = min(_HIGH, max(_LOW, ratio))
    return _LEFT + _WIDTH * (math.log(clipped) - math.log(_LOW)) / (math.log(_HIGH) - math.log(_LOW))


def _bar(top: float, ratio: float, colour: str) -> str:
    one, end = _place(1), _place(ratio)
    text, anchor = (end + 4, "start") if ratio >= 1 else (end - 4, "end")
    return (
        f'<rect x="{min(one, end):.1f}" y="{top}" width="{abs(end - one):.1f}" height="11" fill="{colour}"/>'
        f'<text x="{text:.1f}" y="{top + 10}" text-anchor="{anchor}" font-size="10">{ratio:.2f}</text>'
    )
