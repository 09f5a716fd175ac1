"""The connector's converters, tried on records of its topic; one that does not fit is told with the one that does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from penstock.doctor.finding import Finding, broken, ok, skipped, warning
from penstock.doctor.fitting import Fitting, configured
from penstock.doctor.payload import Candidate, Form
from penstock.doctor.samples import Part, Reading, Sampler, place_of, read_all, reason
from penstock.doctor.situation import Situation
from penstock.errors import ConnectError

__all__ = ["ConvertersCheck"]

_PARTS: Final = ("key", "value")
_STRING, _BYTES, _JSON = "StringConverter", "ByteArrayConverter", "JsonConverter"


class ConvertersCheck:
    """Reads the newest records of the connector's topics as its sink tasks would.

    A source's converters are tried on what is in its topic already: others read both.
    """

    name = "converters"
    needs = ("kafka", "plugins")

    def __init__(self, situation: Situation, sampler: Sampler) -> None:
        self._situation, self._sampler, self._fitting = situation, sampler, Fitting(situation)

    def findings(self) -> Iterator[Finding]:
        if self._situation.connector is None:
            return
        topics = self._sampler.topics()
        if not topics:
            yield skipped(self._situation.name, "no topic of the connector is known, so that there is no sample")
        for topic in topics:
            try:
                records = self._sampler.records(topic)
            except ConnectError as error:
                yield skipped(topic, error.message)
                continue
            if not records:
                yield skipped(topic, "it has no records yet to try the converters on")
            for which in _PARTS if records else ():
                yield self._part(topic, Part.of(which, records), len(records))

    def _part(self, topic: str, part: Part, sampled: int) -> Finding:
        name, settings, named_by = self._situation.converter(part.which)
        about = f"{part.which}s of {topic}"
        if not part.messages:
            return ok(about, f"the newest {sampled} records have no {part.which}")
        try:
            class_name, converter = configured(self._situation.plugins, part.which, name, settings)
        except ConnectError as error:
            return broken(about, f"{part.which}.converter cannot be set up: {error.message}", "Correct its settings")
        try:
            reading = read_all(converter, part)
        finally:
            converter.close()
        used = f"{class_name.rpartition('.')[2]} (named by the {named_by})"
        if reading.clean:
            return self._silent(about, part, used, class_name, settings)
        return self._failed(about, part, used, reading, Candidate(class_name, settings))

    # --- what cannot be read

    def _failed(self, about: str, part: Part, used: str, reading: Reading, own: Candidate) -> Finding:
        if (unanswered := reading.unanswered) is not None:
            return broken(about, f"{used}: {reason(unanswered)}", "See the registry's check above")
        message, error = reading.failures[0]
        forms = part.forms()
        mixed = (
            ""
            if len(forms) == 1
            else " (" + "; ".join(f"{len(found)} {form.value}" for form, found in forms.items()) + ")"
        )
        text = f"{used} cannot read {len(reading.failures)} of {len(part.messages)}{mixed}; {place_of(message)}: {reason(error)}"
        advice = self._fitting.advice(part, own)
        if self._situation.is_source:
            return warning(
                about,
                f"what is in the topic is not what this source writes: {text}",
                f"Readers would meet both. {advice}",
            )
        # Some records may be left out; if all are, nothing is left.
        return (warning if reading.read and self._situation.tolerates else broken)(about, text, advice)

    # --- what is read, and yet not meant

    def _silent(self, about: str, part: Part, used: str, class_name: str, settings: Mapping[str, str]) -> Finding:
        """Return the finding about a converter that reads everything, perhaps as something that it is not."""
        forms, short = part.forms(), class_name.rpartition(".")[2]
        form = next(iter(forms))
        read = f"{used} reads the newest {len(part.messages)}"
        if short == _STRING and form in (Form.FRAMED, Form.BINARY, Form.AVRO_FILE):
            text = f"{used} makes text of what is none: they are {form.value}"
            return (warning if self._situation.is_source else broken)(about, text, self._fitting.advice(part))
        if short == _JSON and form is Form.ENVELOPE and settings.get("schemas.enable", "true").lower() == "false":
            return warning(
                about,
                f"{read}, but takes their envelope for data: a record is a map of schema and payload",
                f"Set {part.which}.converter.schemas.enable=true",
            )
        if short in (_STRING, _BYTES) and form in (Form.FRAMED, Form.ENVELOPE, Form.JSON):
            return ok(about, f"{read} as {'text' if short == _STRING else 'bytes'}; {self._fitting.advice(part)}")
        if "Converter" in class_name and ".converters." in class_name and short != _BYTES and form is Form.TEXT:
            return warning(about, f"{read} as numbers, but they look like text", self._fitting.advice(part))
        return ok(about, read)
