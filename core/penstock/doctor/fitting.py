"""Finds the converter that fits a sample, by trying those that may have written it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from penstock.api import Converter
from penstock.credentials import without_credentials
from penstock.doctor.payload import Candidate, Form, candidates
from penstock.doctor.samples import Part, Reading, read_all, reason
from penstock.doctor.situation import Situation
from penstock.errors import ConnectError
from penstock.plugins import PluginKind, Plugins
from penstock.runtime.assembly import strip_prefix

__all__ = ["Fitting", "configured"]

_PARTS: Final = ("key", "value")
#: A converter's settings for the registry, which another one in its place needs as well.
_REGISTRY_SETTINGS: Final = ("schema.registry.", "basic.auth.", "bearer.auth.", "sasl.jaas.config")


def configured(plugins: Plugins, which: str, name: str, settings: Mapping[str, str]) -> tuple[str, Converter]:
    """Return the class name of a converter and the converter itself, ready for keys or values. Raises `ConnectError`."""
    class_name = plugins.find(PluginKind.CONVERTER, name).class_name
    converter: Converter = plugins.new(PluginKind.CONVERTER, name)
    own = {key: value for key, value in settings.items() if key != "plugin.version"}
    converter.configure({**own, "converter.type": which}, which == "key")
    return class_name, converter


class Fitting:
    """Says which converter reads a sample. It asks the registries that worker and connector name, and no others."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation

    def advice(self, part: Part, own: Candidate | None = None) -> str:
        """Return what to change for the form that most of `part` has. `own` is the connector's converter as it is."""
        form, messages = next(iter(part.forms().items()))
        most = Part(part.which, messages)
        known, failures = candidates(form, most.payloads), []
        for candidate in known:
            settings = self._settings_for(candidate, part.which)
            if settings is None:
                continue
            reading = self._tried(candidate, settings, most)
            if reading.clean:
                rest = len(part.messages) - len(messages)
                if own is not None and _is_the_same(own, candidate):
                    return _rest(form, len(messages), rest)
                return _instead(part.which, candidate, settings, form, len(messages), rest, known)
            failures += [(candidate, error) for _, error in reading.failures if candidate.uses_registry]
        return _none(form, part.which, failures)

    def _settings_for(self, candidate: Candidate, which: str) -> dict[str, str] | None:
        """Return the settings to try `candidate` with; None if it needs a registry and none is known."""
        if not candidate.uses_registry:
            return dict(candidate.settings)
        other = "value" if which == "key" else "key"
        known = [self._situation.converter(part)[1] for part in (which, other)]
        known += [strip_prefix(self._situation.worker_converters, f"{part}.converter.") for part in _PARTS]
        for settings in known:
            if settings.get("schema.registry.url"):
                return {name: value for name, value in settings.items() if name.startswith(_REGISTRY_SETTINGS)}
        url = self._situation.registry_url
        return None if url is None else {"schema.registry.url": url}

    def _tried(self, candidate: Candidate, settings: Mapping[str, str], part: Part) -> Reading:
        try:
            _, converter = configured(self._situation.plugins, part.which, candidate.class_name, settings)
        except ConnectError as error:
            return Reading(0, [(None, error)])
        try:
            return read_all(converter, part)
        finally:
            converter.close()


def _is_the_same(own: Candidate, candidate: Candidate) -> bool:
    """Return whether the connector's converter is `candidate`, by its class and what its settings say or leave out."""
    defaults = {"schemas.enable": "true"}
    settings = {**defaults, **own.settings}
    return own.class_name == candidate.class_name and all(
        settings.get(name, "").lower() == value for name, value in candidate.settings.items()
    )


def _rest(form: Form, read: int, rest: int) -> str:
    return (
        f"The converter is right for {read} of them ({form.value}); the other {rest} are something else: "
        "errors.tolerance=all with a dead letter queue leaves them out, and penstock offsets skip a single one"
    )


def _instead(
    which: str,
    candidate: Candidate,
    settings: Mapping[str, str],
    form: Form,
    read: int,
    rest: int,
    known: list[Candidate],
) -> str:
    urls = {name: without_credentials(url) for name, url in settings.items() if name == "schema.registry.url"}
    parts = {"": candidate.class_name, **{f".{name}": value for name, value in {**candidate.settings, **urls}.items()}}
    text = ", ".join(f"{which}.converter{name}={value}" for name, value in parts.items())
    tail = "" if not rest else f"; the other {rest} need errors.tolerance=all and a dead letter queue"
    if candidate.number:
        others = [other.short_name for other in known if other.number and other != candidate]
        tail += f" (or {', '.join(others)}: bytes do not tell these apart)" if others else ""
    return f"They are {form.value}. Set {text} in the connector: it reads {read} of them{tail}"


def _none(form: Form, which: str, failures: list[tuple[Candidate, BaseException]]) -> str:
    """Return what is known of payloads that no candidate reads."""
    if form is not Form.FRAMED:
        return f"They are {form.value}, which no converter of penstock reads; ByteArrayConverter passes them on"
    names = ", ".join(candidate.short_name for candidate in candidates(form, []) if candidate.uses_registry)
    if not failures:
        return (
            f"They begin with a schema id. Set {which}.converter to one of {names}, as the schema's language is, and "
            f"{which}.converter.schema.registry.url"
        )
    if any(_not_found(error) for _, error in failures):
        return (
            "They begin with a schema id, but the registry that was asked does not know it: set "
            f"{which}.converter.schema.registry.url to the registry of whoever wrote them"
        )
    candidate, error = failures[0]
    return f"They begin with a schema id, but none of {names} reads them; {candidate.short_name}: {reason(error)}"


def _not_found(error: BaseException | None) -> bool:
    """Return whether a registry did not know what it was asked for; its client says so with `not_found`."""
    while error is not None:
        if getattr(error, "not_found", False):
            return True
        error = error.__cause__ or error.__context__
    return False
