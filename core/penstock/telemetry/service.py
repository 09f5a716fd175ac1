"""`Telemetry`: OpenTelemetry's part of one process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import penstock
from penstock.errors import ConfigError
from penstock.http.prometheus import Exposition
from penstock.measurements import Measurement
from penstock.telemetry.settings import TelemetrySettings
from penstock.telemetry.tracing import trace_tasks

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from penstock.telemetry.metrics import MetricsExport

__all__ = ["Telemetry", "telemetry_of"]

_log: Final = logging.getLogger(__name__)
#: Seconds in which what is left has to be sent.
_LAST_S: Final = 5.0


def telemetry_of(
    environ: Mapping[str, str], instance: str, measure: Callable[[], Iterable[Measurement]]
) -> Telemetry | None:
    """Return what `environ` asks for, not started; None if it asks for nothing, and then nothing was imported.

    `instance` is the process' name (``service.instance.id``); `measure` gives what is exported as metrics. Raises
    `ConfigError` for what cannot be done.
    """
    settings = TelemetrySettings.from_environment(environ)
    if settings is None:
        return None
    for warning in settings.warnings:
        _log.warning("%s", warning)
    try:
        return Telemetry(settings, instance, measure)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise ConfigError(
            "The environment asks for OpenTelemetry (OTEL_*), which is not installed: pip install 'penstock[otel]', or set "
            "OTEL_SDK_DISABLED=true"
        ) from error


class Telemetry:
    """Exports between `start` and `stop`, each called once."""

    def __init__(
        self, settings: TelemetrySettings, instance: str, measure: Callable[[], Iterable[Measurement]]
    ) -> None:
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource

        own = {"service.name": "penstock", "service.version": penstock.__version__, "service.instance.id": instance}
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
        resource = Resource.create(own).merge(OTELResourceDetector().detect())
        self._provider: Any = _tracer_provider(resource) if settings.traces else None
        self._metrics = _metrics_export(settings, resource, measure) if settings.metrics else None
        self.signals = [name for name, on in (("traces", settings.traces), ("metrics", settings.metrics)) if on]

    def start(self) -> None:
        """Trace the tasks that are built from now on, and begin to send metrics."""
        if self._provider is not None:
            from penstock.telemetry.spans import BatchSpans

            trace_tasks(partial(BatchSpans, self._provider.get_tracer("penstock", penstock.__version__)))
        if self._metrics is not None:
            self._metrics.start()

    def finish(self) -> None:
        """Begin to send the last metrics, while there is something to measure; returns at once. `stop` follows."""
        if self._metrics is not None:
            self._metrics.finish()

    def stop(self) -> None:
        """Send what is left. A collector that is away holds the process up for a few seconds at most."""
        deadline = time.monotonic() + _LAST_S
        if self._provider is not None:
            trace_tasks(None)
            # The SDK would try for as long as its exporter's timeout.
            ending = threading.Thread(target=self._provider.shutdown, name="otel-traces", daemon=True)
            ending.start()
            ending.join(_LAST_S)
        if self._metrics is not None:
            self._metrics.stop(max(0.0, deadline - time.monotonic()))


def _tracer_provider(resource: Resource) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _metrics_export(
    settings: TelemetrySettings, resource: Resource, measure: Callable[[], Iterable[Measurement]]
) -> MetricsExport:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    from penstock.telemetry.metrics import MetricsExport

    return MetricsExport(Exposition(measure), OTLPMetricExporter(), resource, settings.interval_s, settings.timeout_s)
