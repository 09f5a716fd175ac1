"""Which OTEL_* variables switch what on; off costs nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap

import pytest

from penstock.errors import ConfigError
from penstock.telemetry.service import telemetry_of
from penstock.telemetry.settings import TelemetrySettings

URL = "http://collector:4318"
ENDPOINT, TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@pytest.mark.parametrize(
    ("environ", "signals"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "connect"}, None),
        ({ENDPOINT: ""}, None),
        ({ENDPOINT: URL}, (True, True)),
        ({ENDPOINT: URL, "OTEL_SDK_DISABLED": "true"}, None),
        ({TRACES_ENDPOINT: f"{URL}/v1/traces"}, (True, False)),
        ({ENDPOINT: URL, "OTEL_TRACES_EXPORTER": "none"}, (False, True)),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, (False, True)),
        ({ENDPOINT: URL, "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}, None),
        ({ENDPOINT: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, (True, True)),
    ],
)
def test_an_endpoint_or_an_exporter_switches_a_signal_on(
    environ: dict[str, str], signals: tuple[bool, bool] | None
) -> None:
    found = TelemetrySettings.from_environment(environ)
    assert (None if found is None else (found.traces, found.metrics)) == signals


@pytest.mark.parametrize(
    ("environ", "setting"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, "OTEL_METRICS_EXPORTER"),
        ({ENDPOINT: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        ({ENDPOINT: URL, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json"}, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"),
        ({ENDPOINT: URL, "OTEL_METRIC_EXPORT_INTERVAL": "often"}, "OTEL_METRIC_EXPORT_INTERVAL"),
        ({ENDPOINT: URL, "OTEL_METRIC_EXPORT_TIMEOUT": "0"}, "OTEL_METRIC_EXPORT_TIMEOUT"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(environ: dict[str, str], setting: str) -> None:
    with pytest.raises(ConfigError, match=setting):
        TelemetrySettings.from_environment(environ)


def test_the_interval_is_opentelemetrys() -> None:
    found = TelemetrySettings.from_environment({ENDPOINT: URL})
    assert found is not None
    assert (found.interval_s, found.timeout_s) == (60, 30)
    found = TelemetrySettings.from_environment({ENDPOINT: URL, "OTEL_METRIC_EXPORT_INTERVAL": "1500"})
    assert found is not None
    assert found.interval_s == 1.5


def test_logs_that_are_asked_for_are_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        telemetry_of({ENDPOINT: URL, "OTEL_LOGS_EXPORTER": "otlp"}, "w:1", list)
    assert "OTEL_LOGS_EXPORTER has no effect" in caplog.text


SCRIPT = """
    import sys
    {before}
    from penstock.telemetry.service import telemetry_of
    from penstock.runtime.source.task import WorkerSourceTask
    from penstock.errors import ConfigError
    try:
        print(telemetry_of({environ!r}, "w:1", list))
    except ConfigError as error:
        print(error)
    print(sorted(name for name in sys.modules if name.startswith("opentelemetry") and sys.modules[name]))
"""


def ran(environ: dict[str, str], before: str = "") -> list[str]:
    script = textwrap.dedent(SCRIPT).format(environ=environ, before=before)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def test_nothing_is_imported_while_it_is_off() -> None:
    assert ran({}) == ["None", "[]"]


def test_without_the_extra_the_error_says_what_to_install() -> None:
    told, imported = ran({ENDPOINT: URL}, 'sys.modules["opentelemetry"] = None')
    assert "pip install 'penstock[otel]'" in told
    assert imported == "[]"
