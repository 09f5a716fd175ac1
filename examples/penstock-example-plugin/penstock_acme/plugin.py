"""The plugins of this distribution. penstock imports this module to list plugins: keep it light."""

from __future__ import annotations

from penstock.api import Plugin, hookimpl
from penstock_acme import __version__


@hookimpl
def penstock_register_converters() -> list[Plugin]:
    return [
        Plugin(
            "pipes",
            "penstock_acme.pipes:PipeConverter",
            # Configurations written for the JVM name a class; an alias makes them work unchanged.
            aliases=("com.acme.connect.PipeConverter",),
            summary="fields between | characters",
            version=__version__,
        )
    ]


@hookimpl
def penstock_register_transforms() -> list[Plugin]:
    return [
        Plugin(
            "acme-uppercase",
            "penstock_acme.uppercase:Uppercase",
            summary="a field in capital letters",
            version=__version__,
        ),
        Plugin("acme-tenant", "penstock_acme.tenant:AddTenant", summary="a field with the tenant", version=__version__),
    ]


@hookimpl
def penstock_register_connectors() -> list[Plugin]:
    return [
        Plugin(
            "acme-ticks",
            "penstock_acme.ticks:TickSource",
            summary="counts",
            connector_type="source",
            version=__version__,
        )
    ]
