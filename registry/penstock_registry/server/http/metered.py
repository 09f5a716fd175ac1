"""The measurements of one registry, in the words of Confluent's (``MetricsContainer``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from penstock.config.tls import Expiries
from penstock.measurements import Measurement
from penstock_registry.languages import BUILT_IN
from penstock_registry.server.applied_log import VersionCounts
from penstock_registry.server.http.answer_meter import AnswerMeter

if TYPE_CHECKING:
    from penstock_registry.server.leader.election import Election

__all__ = ["Metered"]

_GROUP: Final = "schema-registry"


class Metered:
    """Gives the measurements of one registry. Safe from any thread.

    `counts` tells of the log; `election` is None for a registry that is the only one; `expiries` are those of https
    listeners, None if there is none; `custom_formats` counts schema languages beside the built-in ones.
    """

    def __init__(
        self,
        answers: AnswerMeter,
        counts: Callable[[], VersionCounts] = VersionCounts,
        election: Election | None = None,
        *,
        custom_formats: int = 0,
        expiries: Expiries | None = None,
    ) -> None:
        self.answers = answers
        self._counts, self._election = counts, election
        self._custom_formats = custom_formats
        self._expiries = expiries or Expiries(math.nan, math.nan)

    def measurements(self) -> Iterator[Measurement]:
        """Give everything that is measured, as of now."""
        yield from self.answers.measurements()
        yield from _of_versions(self._counts())
        yield from self._of_the_lead()
        yield Measurement(_GROUP, "custom-schema-provider-count", self._custom_formats)
        yield Measurement(_GROUP, "certificate-expiration-keystore", self._expiries.keystore)
        yield Measurement(_GROUP, "certificate-expiration-truststore", self._expiries.truststore)

    def _of_the_lead(self) -> Iterator[Measurement]:
        election = self._election
        yield Measurement(_GROUP, "master-slave-role", 1 if election is None or election.leads else 0)
        nodes = 1 if election is None else election.members
        if nodes is not None:
            yield Measurement(_GROUP, "node-count", nodes)
        latency = math.nan if election is None else election.took_lead_ms
        yield Measurement(_GROUP, "leader-initialization-latency", latency)


def _of_versions(counts: VersionCounts) -> Iterator[Measurement]:
    yield Measurement(_GROUP, "registered-count", sum(counts.registered.values()))
    yield Measurement(_GROUP, "deleted-count", sum(counts.deleted.values()))
    for kind in sorted({*BUILT_IN, *counts.registered}):
        tags = {"schema_type": kind.lower()}
        yield Measurement(_GROUP, "schemas-created", counts.registered.get(kind, 0), tags)
        yield Measurement(_GROUP, "schemas-deleted", counts.deleted.get(kind, 0), tags)
