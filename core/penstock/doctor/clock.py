"""This machine's clock against Kafka's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from penstock.doctor.cluster import Cluster
from penstock.doctor.finding import Finding, broken, ok, skipped, warning
from penstock.errors import ConnectError

__all__ = ["ClockCheck"]

#: Beyond this, timestamps of records from different machines cannot be compared, and short-lived tokens fail.
_NOTED_MS: Final = 5_000
#: The brokers' default for ``message.timestamp.after.max.ms``: records from further ahead are refused.
_REFUSED_MS: Final = 3_600_000


class ClockCheck:
    """Asks the active controller what time it is."""

    name = "clock"
    needs = ("kafka",)

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def findings(self) -> Iterator[Finding]:
        about = "this machine's clock"
        try:
            moment = self._cluster.controller_time()
        except ConnectError as error:
            yield skipped(
                about, f"the controller's time is not known: {error.message}", "Describe on the cluster lets it ask"
            )
            return
        ahead = moment.ours - moment.theirs
        certain = max(0.0, abs(ahead) - moment.error_ms)
        shown = f"{abs(ahead) / 1000:.1f} s {'ahead of' if ahead > 0 else 'behind'} the controller's"
        advice = "Let both machines take their time from the same servers (NTP)"
        if ahead > 0 and certain >= _REFUSED_MS:
            yield broken(
                about,
                f"{shown}: brokers refuse records that are an hour ahead (message.timestamp.after.max.ms)",
                advice,
            )
        elif certain >= _NOTED_MS:
            yield warning(about, f"{shown}: timestamps of records and the life of tokens are wrong by that", advice)
        else:
            yield ok(about, f"within {(abs(ahead) + moment.error_ms) / 1000:.1f} s of the controller's")
