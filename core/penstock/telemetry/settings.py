"""Read which signals are exported from OpenTelemetry's own environment variables.

The SDK and its exporters read the rest of them by themselves: endpoints, headers, certificates, sampler, limits,
resource attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from penstock.errors import ConfigError

__all__ = ["TelemetrySettings"]

_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_SPOKEN: Final = "http/protobuf"
_INTERVAL_MS: Final = 60_000
_TIMEOUT_MS: Final = 30_000


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """The signals that are exported, and how often metrics are."""

    traces: bool
    metrics: bool
    interval_s: float
    timeout_s: float
    #: One line each, to be logged once.
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> TelemetrySettings | None:
        """Return what `environ` asks for; None if it asks for nothing. An empty variable counts as unset, as everywhere in
        OpenTelemetry. Raises `ConfigError` for what cannot be done."""
        if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
            return None
        traces, metrics = (_is_on(environ, signal) for signal in ("TRACES", "METRICS"))
        if not traces and not metrics:
            return None
        logs = environ.get("OTEL_LOGS_EXPORTER", "").strip().lower()
        warnings = (
            [] if logs in ("", "none") else ["OTEL_LOGS_EXPORTER has no effect: the log is written, not exported"]
        )
        return cls(
            traces,
            metrics,
            _milliseconds(environ, "OTEL_METRIC_EXPORT_INTERVAL", _INTERVAL_MS) / 1000,
            _milliseconds(environ, "OTEL_METRIC_EXPORT_TIMEOUT", _TIMEOUT_MS) / 1000,
            tuple(warnings),
        )


def _is_on(environ: Mapping[str, str], signal: str) -> bool:
    """Return whether a signal is exported: it is named so, or there is an endpoint for it."""
    key = f"OTEL_{signal}_EXPORTER"
    exporter = environ.get(key, "").strip().lower()
    if exporter not in ("", "none", "otlp"):
        raise ConfigError(key, exporter, "expected otlp or none")
    named = any(environ.get(name, "").strip() for name in (_ENDPOINT, f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"))
    if exporter == "none" or not (exporter or named):
        return False
    own = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"
    protocol_key = own if environ.get(own, "").strip() else _PROTOCOL
    protocol = environ.get(protocol_key, "").strip().lower() or _SPOKEN
    if protocol != _SPOKEN:
        raise ConfigError(protocol_key, protocol, f"expected {_SPOKEN}, whose port is mostly 4318")
    return True


def _milliseconds(environ: Mapping[str, str], key: str, default: int) -> int:
    text = environ.get(key, "").strip() or str(default)
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(key, text, "expected a number of milliseconds, 1 or more")
    return int(text)
