"""The sink's chain of transforms, run on records of its topic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from penstock.doctor.finding import Finding, broken, ok, warning
from penstock.doctor.samples import Sampler, place_of, reason
from penstock.doctor.situation import Situation
from penstock.errors import ConnectError
from penstock.runtime.assembly import build_chain, build_converters
from penstock.runtime.chain import StageError
from penstock.runtime.conversion import ConversionError, locate
from penstock.runtime.sink.conversion import SinkConversion

__all__ = ["TransformsCheck"]


class TransformsCheck:
    """Takes the newest records through converters and transforms as a sink task does. What the converters cannot read is
    left aside: the check of converters tells of it."""

    name = "transforms"
    needs = ("kafka", "plugins")

    def __init__(self, situation: Situation, sampler: Sampler) -> None:
        self._situation, self._sampler = situation, sampler

    def findings(self) -> Iterator[Finding]:
        connector = self._situation.connector or {}
        if not self._situation.is_sink or not connector.get("transforms", "").strip():
            return
        for topic in self._sampler.topics():
            try:
                records = self._sampler.records(topic)
                conversion = self._conversion()
            except ConnectError:
                continue  # other checks tell of topics that cannot be read, and of settings that are wrong
            try:
                yield from _tried(topic, records, conversion, self._situation.tolerates)
            finally:
                conversion.close()

    def _conversion(self) -> SinkConversion:
        situation, connector = self._situation, self._situation.connector or {}
        chain = build_chain(situation.plugins, connector)
        return SinkConversion(chain, build_converters(situation.plugins, connector, situation.worker_converters))


def _tried(topic: str, records: list[Any], conversion: SinkConversion, tolerates: bool) -> Iterator[Finding]:
    passed, dropped = 0, 0
    failed: dict[str, list[tuple[Any, BaseException]]] = {}
    for message in records:
        try:
            made = conversion.record(message, topic, message.partition(), message.offset())
        except ConversionError:
            continue
        except StageError as error:
            _, stage, cause = locate(error)
            failed.setdefault(stage, []).append((message, cause))
            continue
        passed, dropped = passed + (made is not None), dropped + (made is None)
    for stage, failures in failed.items():
        message, cause = failures[0]
        # Some records may be left out; if all are, nothing is left.
        yield (warning if tolerates and passed else broken)(
            f"transforms on {topic}",
            f"{stage} fails for {len(failures)} of {len(records)}; {place_of(message)}: {reason(cause)}",
            f"penstock transform --config FILE --worker FILE --topic {topic} --partition {message.partition()} "
            f"--offset {message.offset()} shows what each transform makes of it",
        )
    if passed or dropped:
        yield ok(f"transforms on {topic}", f"{passed} records pass, {dropped} are dropped")
