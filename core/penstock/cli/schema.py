"""``penstock schema``: look into a schema registry, change it, copy it. Any that speaks Confluent's API."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from penstock.cli.registry_http import RegistryHttp, segment
from penstock.cli.schema_transfer import export_registry, import_registry
from penstock.errors import ConfigError, ConnectError

__all__ = ["add_parser"]

_DEFAULT_URL: Final = "http://localhost:8081"
_TYPES: Final = {".avsc": "AVRO", ".proto": "PROTOBUF", ".json": "JSON"}
_EVERYTHING: Final = ":*:"


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "schema",
        help="look into a schema registry, change it, copy it",
        description="Works with any registry that speaks Confluent's API. The URL may also stand in "
        "SCHEMA_REGISTRY_URL, name and password in SCHEMA_REGISTRY_USER, a token in SCHEMA_REGISTRY_TOKEN.",
    )
    parser.add_argument("--url", help=f"the registry (default: {_DEFAULT_URL})")
    parser.add_argument("--user", metavar="NAME:PASSWORD", help="for basic authentication")
    parser.add_argument("--token", help="for bearer authentication")
    parser.add_argument("--ca", metavar="FILE", type=Path, help="PEM certificates to trust instead of the system's")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _add_reading(actions)
    _add_changing(actions)
    _add_transfer(actions)


def _add_reading(actions: Any) -> None:
    listing = _action(actions, "list", _list, "subjects, with their versions")
    listing.add_argument(
        "prefix", nargs="?", default=_EVERYTHING, help="only subjects that begin so (:.ctx: for a context)"
    )
    listing.add_argument("--deleted", action="store_true", help="with softly deleted ones")
    get = _action(actions, "get", _get, "print a schema")
    get.add_argument("subject", nargs="?")
    get.add_argument("--version", default="latest", help="a number or latest (default)")
    get.add_argument("--id", type=int, help="by id instead of subject and version")
    get.add_argument("--json", action="store_true", help="everything the registry says of it")
    check = _action(actions, "check", _check, "whether a schema could follow the registered ones; exit status 1 if not")
    _add_schema(check)
    check.add_argument(
        "--version", default=None, help="against one version or latest, instead of all the level asks for"
    )
    diff = _action(actions, "diff", _diff, "what changed between two versions; exit status 1 if anything did")
    diff.add_argument("subject")
    diff.add_argument("old", help="a version")
    diff.add_argument("new", nargs="?", default="latest", help="another version (default: latest)")


def _add_changing(actions: Any) -> None:
    register = _action(actions, "register", _register, "register a schema")
    _add_schema(register)
    register.add_argument("--normalize", action="store_true", help="in the normal form of its language")
    delete = _action(actions, "delete", _delete, "delete a subject or a version, softly")
    delete.add_argument("subject")
    delete.add_argument("--version", help="only this version")
    delete.add_argument("--permanent", action="store_true", help="for good; it must have been deleted softly before")


def _add_transfer(actions: Any) -> None:
    export = _action(actions, "export", _export, "write everything to a file")
    export.add_argument("file", type=Path)
    export.add_argument("--prefix", default=_EVERYTHING, help="only subjects that begin so")
    importing = _action(actions, "import", _import, "put an exported file in, with ids, versions and deleted marks")
    importing.add_argument("file", type=Path)
    importing.add_argument(
        "--no-settings", action="store_true", help="schemas only: leave config and modes as they are"
    )


def _action(actions: Any, name: str, run: Any, help_text: str) -> Any:
    parser = actions.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    parser.set_defaults(run=lambda arguments: run(_registry(arguments), arguments))
    return parser


def _add_schema(parser: Any) -> None:
    parser.add_argument("subject")
    parser.add_argument("file", type=Path, help="the schema; - is standard input")
    parser.add_argument("--type", help="AVRO, PROTOBUF or JSON (default: by .avsc, .proto, .json, else AVRO)")
    parser.add_argument(
        "--reference", action="append", default=[], metavar="NAME=SUBJECT:VERSION", help="may be given several times"
    )


def _registry(arguments: argparse.Namespace) -> RegistryHttp:
    url = arguments.url or os.environ.get("SCHEMA_REGISTRY_URL") or _DEFAULT_URL
    user = arguments.user or os.environ.get("SCHEMA_REGISTRY_USER")
    return RegistryHttp(url, user, arguments.token or os.environ.get("SCHEMA_REGISTRY_TOKEN"), arguments.ca)


# --- actions ---------------------------------------------------------------------------------------------------------


def _list(registry: RegistryHttp, arguments: argparse.Namespace) -> int:
    for subject in registry.pages("/subjects", subjectPrefix=arguments.prefix, deleted=arguments.deleted):
        versions = registry.find(f"/subjects/{segment(subject)}/versions", deleted=arguments.deleted)
        print(f"{subject}\t{','.join(map(str, versions or ()))}")
    return 0


def _get(registry: RegistryHttp, arguments: argparse.Namespace) -> int:
    if (arguments.subject is None) == (arguments.id is None):
        raise ConfigError("penstock schema get needs a subject or --id, and not both")
    if arguments.id is not None:
        answer = registry.ask("GET", f"/schemas/ids/{arguments.id}")
    else:
        answer = registry.ask("GET", _version_path(arguments.subject, arguments.version))
    print(json.dumps(answer, indent=2, ensure_ascii=False) if arguments.json else answer["schema"])
    return 0


def _register(registry: RegistryHttp, arguments: argparse.Namespace) -> int:
    path = f"/subjects/{segment(arguments.subject)}/versions"
    answer = registry.ask("POST", path, _body(arguments), normalize=arguments.normalize)
    version = answer.get("version")
    print(f"id {answer['id']}" + (f", version {version}" if version is not None else ""))
    return 0


def _check(registry: RegistryHttp, arguments: argparse.Namespace) -> int:
    path = f"/compatibility/subjects/{segment(arguments.subject)}/versions"
    if arguments.version is not None:
        path += f"/{segment(arguments.version)}"
    answer = registry.ask("POST", path, _body(arguments), verbose=True)
    if answer["is_compatible"]:
        print("compatible")
        return 0
    print("not compatible")
    for message in answer.get("messages") or ():
        print(f"  {message}")
    return 1


def _diff(registry: RegistryHttp, arguments: argparse.Namespace) -> int:
    old, new = (
        registry.ask("GET", _version_path(arguments.subject, version)) for version in (arguments.old, arguments.new)
    )
    lines = list(
        difflib.unified_diff(
            _lines(old["schema"]),
            _lines(new["schema"]),
            f"{arguments.subject} version {old['version']}",
            f"{arguments.subject} version {new['version']}",
            lineterm="",
        )
    )
    for line in lines:
        print(line)
    return 1 if lines else 0


def _delete(registry: RegistryHttp, arguments: argparse.Namespace) -> int:
    path = f"/subjects/{segment(arguments.subject)}"
    if arguments.version is not None:
        path = _version_path(arguments.subject, arguments.version)
    # A false "permanent" is left out: the most careful request is the one without it.
    answer = registry.ask("DELETE", path, **({"permanent": True} if arguments.permanent else {}))
    deleted = answer if isinstance(answer, list) else [answer]
    print(
        f"deleted {'for good' if arguments.permanent else 'softly'}: {arguments.subject} {','.join(map(str, deleted))}"
    )
    return 0


def _export(registry: RegistryHttp, arguments: argparse.Namespace) -> int:
    print(f"exported {export_registry(registry, arguments.file, arguments.prefix)} to {arguments.file}")
    return 0


def _import(registry: RegistryHttp, arguments: argparse.Namespace) -> int:
    summary = import_registry(
        registry, arguments.file, not arguments.no_settings, lambda text: print(f"penstock: {text}", file=sys.stderr)
    )
    print(f"imported {summary} into {registry.url}")
    return 0


# --- requests --------------------------------------------------------------------------------------------------------


def _version_path(subject: str, version: str) -> str:
    return f"/subjects/{segment(subject)}/versions/{segment(version)}"


def _body(arguments: argparse.Namespace) -> dict[str, Any]:
    schema_type = arguments.type.upper() if arguments.type else _TYPES.get(arguments.file.suffix.lower(), "AVRO")
    try:
        text = sys.stdin.read() if str(arguments.file) == "-" else arguments.file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConnectError(f"Cannot read {arguments.file}: {error}") from error
    body: dict[str, Any] = {"schema": text, "schemaType": schema_type}
    if arguments.reference:
        body["references"] = [_reference(entry) for entry in arguments.reference]
    return body


def _reference(text: str) -> dict[str, Any]:
    name, equals, rest = text.partition("=")
    subject, colon, version = rest.rpartition(":")
    if not (equals and colon and name and subject and version.lstrip("-").isdecimal()):
        raise ConfigError("--reference", text, "expected NAME=SUBJECT:VERSION")
    return {"name": name, "subject": subject, "version": int(version)}


def _lines(schema: str) -> list[str]:
    """Return JSON laid out, so that a change shows where it is; other languages have lines of their own."""
    try:
        return json.dumps(json.loads(schema), indent=2, ensure_ascii=False).splitlines()
    except ValueError:
        return schema.splitlines()
