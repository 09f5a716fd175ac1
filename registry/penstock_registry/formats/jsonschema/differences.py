"""The kinds of change between two JSON Schemas: which of them are harmless, and Confluent's words for the others."""

from __future__ import annotations

from typing import Final

__all__ = ["is_compatible", "message"]

_LIMITS: Final = (
    "MAX_LENGTH", "MAXIMUM", "EXCLUSIVE_MAXIMUM", "MAX_PROPERTIES", "MAX_ITEMS",
)  # fmt: skip
_FLOORS: Final = ("MIN_LENGTH", "MINIMUM", "EXCLUSIVE_MINIMUM", "MIN_PROPERTIES", "MIN_ITEMS")

#: The differences that break no data of the old schema.
_COMPATIBLE: Final = frozenset(
    {
        *(f"{name}_INCREASED" for name in _LIMITS),
        *(f"{name}_REMOVED" for name in _LIMITS),
        *(f"{name}_DECREASED" for name in _FLOORS),
        *(f"{name}_REMOVED" for name in _FLOORS),
        "SCHEMA_REMOVED", "TYPE_EXTENDED", "PATTERN_REMOVED", "MULTIPLE_OF_REDUCED", "MULTIPLE_OF_REMOVED",
        "REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED", "REQUIRED_ATTRIBUTE_REMOVED",
        "DEPENDENCY_ARRAY_NARROWED", "DEPENDENCY_ARRAY_REMOVED", "DEPENDENCY_SCHEMA_REMOVED",
        "ADDITIONAL_PROPERTIES_ADDED", "ADDITIONAL_PROPERTIES_EXTENDED",
        "UNEVALUATED_PROPERTIES_ADDED", "UNEVALUATED_PROPERTIES_EXTENDED",
        "PROPERTY_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL",
        "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_UNOPEN_CONTENT_MODEL",
        "OPTIONAL_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL",
        "PROPERTY_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL", "PROPERTY_REMOVED_FROM_OPEN_CONTENT_MODEL",
        "PROPERTY_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        "PROPERTY_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        "UNIQUE_ITEMS_REMOVED", "ADDITIONAL_ITEMS_ADDED", "ADDITIONAL_ITEMS_EXTENDED",
        "UNEVALUATED_ITEMS_ADDED", "UNEVALUATED_ITEMS_EXTENDED",
        "MAX_CONTAINS_INCREASED", "MAX_CONTAINS_REMOVED", "MIN_CONTAINS_DECREASED", "MIN_CONTAINS_REMOVED",
        "ITEM_WITH_EMPTY_SCHEMA_ADDED_TO_OPEN_CONTENT_MODEL", "ITEM_ADDED_TO_CLOSED_CONTENT_MODEL",
        "ITEM_WITH_FALSE_REMOVED_FROM_CLOSED_CONTENT_MODEL", "ITEM_REMOVED_FROM_OPEN_CONTENT_MODEL",
        "ITEM_ADDED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        "ITEM_REMOVED_IS_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
        "ENUM_ARRAY_EXTENDED", "COMBINED_TYPE_EXTENDED", "PRODUCT_TYPE_NARROWED", "SUM_TYPE_EXTENDED",
        "NOT_TYPE_NARROWED",
    }
)  # fmt: skip

#: The differences that are harmless, too, if a property not yet written down counts as one that nobody has used yet.
_COMPATIBLE_LENIENT: Final = _COMPATIBLE | {
    "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL", "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL",
    "ADDITIONAL_PROPERTIES_NARROWED", "ADDITIONAL_PROPERTIES_REMOVED",
    "UNEVALUATED_PROPERTIES_NARROWED", "UNEVALUATED_PROPERTIES_REMOVED",
    "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL",
    "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
    "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL",
}  # fmt: skip

_ADDED: Final = "The keyword at path '{path}' in the %new% schema is not present in the %old% schema"
_MORE: Final = "The value at path '{path}' in the %new% schema is more than its value in the %old% schema"
_LESS: Final = "The value at path '{path}' in the %new% schema is less than its value in the %old% schema"
_OTHER: Final = "The value at path '{path}' is different between the %new% and %old% schema"
_FEWER_ELEMENTS: Final = (
    "An array or combined type at path '{path}' has fewer elements in the %new% schema than the %old% schema"
)
_MORE_ELEMENTS: Final = (
    "An array or combined type at path '{path}' has more elements in the %new% schema than the %old% schema"
)
_TYPE: Final = "A type at path '{path}' is different between the %new% schema and the %old% schema"
_OPEN: Final = (
    "The %new% schema has an open content model and has a property or item at path '{path}' which is missing in the"
    " %old% schema"
)
_REQUIRED: Final = (
    "The %new% schema has an unopen content model and has a required property at path '{path}' which is missing in the"
    " %old% schema"
)
_CLOSED: Final = (
    "The %new% has a closed content model and is missing a property or item present at path '{path}' in the"
    " %old% schema"
)
_LOST: Final = (
    "A property or item is missing in the %new% schema but present at path '{path}' in the %old% schema and is not"
    " covered by its partially open content model"
)
_UNCOVERED: Final = (
    "The %new% schema has a property or item at path '{path}' which is missing in the %old% schema and is not covered"
    " by its partially open content model"
)

_WORDS: Final = {
    "PATTERN_CHANGED": _OTHER,
    "MULTIPLE_OF_CHANGED": _OTHER,
    "DEPENDENCY_ARRAY_CHANGED": _OTHER,
    "MULTIPLE_OF_EXPANDED": _MORE,
    "ENUM_ARRAY_NARROWED": _FEWER_ELEMENTS,
    "SUM_TYPE_NARROWED": _FEWER_ELEMENTS,
    "DEPENDENCY_ARRAY_EXTENDED": _MORE_ELEMENTS,
    "PRODUCT_TYPE_EXTENDED": _MORE_ELEMENTS,
    "NOT_TYPE_EXTENDED": _MORE_ELEMENTS,
    "TYPE_CHANGED": _TYPE,
    "TYPE_NARROWED": _TYPE,
    "COMBINED_TYPE_CHANGED": _TYPE,
    "COMBINED_TYPE_SUBSCHEMAS_CHANGED": _TYPE,
    "ENUM_ARRAY_CHANGED": _TYPE,
    "REQUIRED_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL": _OPEN,
    "REQUIRED_PROPERTY_WITH_DEFAULT_ADDED_TO_OPEN_CONTENT_MODEL": _OPEN,
    "OPTIONAL_PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL": _OPEN,
    "ITEM_ADDED_TO_OPEN_CONTENT_MODEL": _OPEN,
    "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL": _REQUIRED,
    "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL": _CLOSED,
    "ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL": _CLOSED,
    "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL": _LOST,
    "ITEM_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL": _LOST,
    "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL": _UNCOVERED,
    "ITEM_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL": _UNCOVERED,
    "SCHEMA_ADDED": "",
}
_BY_ENDING: Final = (
    (("_ADDED", "_REMOVED"), _ADDED),  # additional items or properties are removed, the keyword is not
    (("_INCREASED",), _MORE),
    (("_DECREASED",), _LESS),
    (("_NARROWED",), _FEWER_ELEMENTS),
)


def is_compatible(kind: str, lenient: bool = False) -> bool:
    return kind in (_COMPATIBLE_LENIENT if lenient else _COMPATIBLE)


def message(kind: str, path: str) -> str:
    """Confluent's message, its unbalanced quote included: scripts match it."""
    words = _WORDS.get(kind)
    if words is None:
        words = next((text for endings, text in _BY_ENDING if kind.endswith(endings)), "")
    return f'{{errorType:"{kind}", description:"{words.format(path=path)}\'}}'
