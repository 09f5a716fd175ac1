"""``confluent.Meta``, the option in which Confluent's converters keep what Protobuf has no words for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from penstock_registry.formats.protobuf.model import Option

__all__ = ["FIELD_META", "META_TAG", "meta_from_bytes", "meta_option", "meta_params", "meta_to_bytes"]

FIELD_META: Final = "confluent.field_meta"
#: The number of all of ``confluent.{file,message,field,enum,enum_value}_meta``.
META_TAG: Final = 1088

Meta = tuple[str, Mapping[str, str], tuple[str, ...]]


def meta_option(
    name: str, doc: str, params: Mapping[str, str], tags: Iterable[str] = (), value_first: bool = True
) -> Option | None:
    """The option as text has it; None if there is nothing to say.

    Confluent writes the members of a pair in the order of a Java hash map, which has ``value`` first.
    """
    members: dict[str, Option] = {}
    if doc:
        members["doc"] = _text(doc)
    if params:
        pairs = []
        for key, value in params.items():
            pair = {"key": _text(key), "value": _text(value)}
            pairs.append(Option("", "map", dict(reversed(pair.items())) if value_first else pair))
        members["params"] = Option("", "list", pairs)
    if tags := tuple(tags):
        members["tags"] = Option("", "list", [_text(tag) for tag in tags])
    return Option(name, "map", members, parenthesized=True) if members else None


def _text(value: str) -> Option:
    return Option("", "string", value)


def meta_params(options: Iterable[Option]) -> dict[str, str]:
    """The parameters among a field's options, in either form: a list of pairs, or ``(confluent.field_meta).params``."""
    found: dict[str, str] = {}
    for option in options:
        if option.name == FIELD_META:
            found.update(_meta(option)[1])
    return found


def _meta(option: Option) -> Meta:
    members: Mapping[str, Option]
    if option.kind == "map":
        members = option.value
    elif option.kind == "option":
        members = {option.value.name: option.value}
    else:
        return "", {}, ()
    doc, params, tags = members.get("doc"), members.get("params"), members.get("tags")
    return (
        str(doc.value) if doc is not None else "",
        dict(pair for item in _items(params) if (pair := _pair(item)) is not None),
        tuple(str(item.value) for item in _items(tags)),
    )


def _items(option: Option | None) -> list[Option]:
    if option is None:
        return []
    return option.value if option.kind == "list" else [option]


def _pair(option: Option) -> tuple[str, str] | None:
    if option.kind != "map":
        return None
    key, value = option.value.get("key"), option.value.get("value")
    return (str(key.value) if key else "", str(value.value) if value else "")


@cache
def _meta_class() -> Any:
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto(name="meta", syntax="proto3")
    message = file.message_type.add(name="Meta")
    message.field.add(name="doc", number=1, type=9, label=1)
    message.field.add(name="params", number=2, type=11, label=3, type_name=".Meta.ParamsEntry")
    message.field.add(name="tags", number=3, type=9, label=3)
    entry = message.nested_type.add(name="ParamsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=9, label=1)
    entry.field.add(name="value", number=2, type=9, label=1)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Meta"))


def meta_to_bytes(option: Option) -> bytes:
    doc, params, tags = _meta(option)
    return bytes(_meta_class()(doc=doc, params=dict(params), tags=tags).SerializeToString(deterministic=True))


def meta_from_bytes(data: bytes) -> Meta:
    try:
        meta = _meta_class().FromString(data)
    except DecodeError:
        return "", {}, ()
    return meta.doc, dict(sorted(meta.params.items())), tuple(meta.tags)
