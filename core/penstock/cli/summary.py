"""The summary that a worker logs once it is up: what runs here, and who may reach it. No secret is in it."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Sequence

import penstock
from penstock.config.worker import WorkerConfig
from penstock.plugins import PluginKind, Plugins
from penstock.rest.server import RestServer

__all__ = ["worker_summary"]

_COUNTED = (PluginKind.CONNECTOR, PluginKind.CONVERTER, PluginKind.TRANSFORM, PluginKind.PREDICATE)


def worker_summary(
    config: WorkerConfig,
    plugins: Plugins,
    rest: RestServer,
    registry_urls: Sequence[str] = (),
    signals: Sequence[str] = (),
) -> dict[str, str]:
    """Return the lines of the summary, what each is about and what it says; `signals` are those of OpenTelemetry that are
    exported. Values of config providers are shown as the user wrote them."""
    lines = {
        "version": f"penstock {penstock.__version__}, Kafka Connect {penstock.KAFKA_VERSION}, Python {platform.python_version()}",
        "mode": _mode(config),
        "Kafka": _kafka(config),
        "state": _state(config),
        "delivery": _delivery(config),
        "REST": _rest(rest),
        "REST security": _security(rest),
        "converters": ", ".join(
            f"{which} {config[f'{which}.converter']}"
            for which in ("key", "value", "header")
            if config[f"{which}.converter"]
        ),
        "plugins": _plugins(plugins),
    }
    if others := _others(plugins):
        lines["plugins of others"] = others
    if plugins.broken:
        lines["broken plugins"] = ", ".join(sorted(source.distribution for source in plugins.broken))
    if registry_urls:
        lines["schema registry"] = ", ".join(registry_urls)
    if signals:
        lines["OpenTelemetry"] = f"{' and '.join(signals)} to a collector"
    return {name: config.looked_up.shown(text) for name, text in lines.items()}


def _mode(config: WorkerConfig) -> str:
    if config.mode != "distributed":
        return config.mode
    return f"distributed, group {config['group.id']}, protocol {config['connect.protocol']}"


def _kafka(config: WorkerConfig) -> str:
    protocol = str(config["security.protocol"]).upper()
    mechanism = f" with {config['sasl.mechanism']}" if protocol.startswith("SASL") else ""
    return f"{','.join(config['bootstrap.servers'])}, {protocol}{mechanism}"


def _state(config: WorkerConfig) -> str:
    if config.mode != "distributed":
        return f"offsets in the file {config['offset.storage.file.filename'] or '(none: in memory)'}"
    kinds = {"config": "configurations", "offset": "offsets", "status": "states"}
    return ", ".join(f"{kind} in topic {config[f'{key}.storage.topic']}" for key, kind in kinds.items())


def _delivery(config: WorkerConfig) -> str:
    once = config.mode == "distributed" and config["exactly.once.source.support"] == "enabled"
    interval = config["offset.flush.interval.ms"] / 1000
    return f"sources {'exactly' if once else 'at least'} once, offsets committed every {interval:g} s"


def _rest(rest: RestServer) -> str:
    listed = ", ".join(map(str, rest.listeners))
    admin = f"; /admin at {', '.join(map(str, rest.admin_listeners))}" if rest.admin_listeners else ""
    return f"{rest.advertised.url} (listens on {listed}{admin}); metrics at {rest.advertised.url}metrics"


def _security(rest: RestServer) -> str:
    methods = rest.access.methods
    who = f"users ({', '.join(methods)})" if methods else "open to everybody who reaches it"
    encrypted = sum(listener.scheme == "https" for listener in rest.listeners)
    if not encrypted:
        return f"{who}, without TLS"
    return f"{who}, with TLS" if encrypted == len(rest.listeners) else f"{who}, with TLS on some listeners"


def _plugins(plugins: Plugins) -> str:
    counts = Counter(info.kind for info in plugins.infos() if info.error is None)
    return ", ".join(f"{counts[kind]} {kind.word}s" for kind in _COUNTED)


def _others(plugins: Plugins) -> str:
    found = Counter(info.distribution for info in plugins.infos() if info.distribution != "penstock")
    return ", ".join(f"{name} ({count})" for name, count in sorted(found.items()))
