"""`ConfigDef`: types, checks and required settings, in the words of Kafka's ``ConfigDef``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from penstock.config import (
    CaseInsensitiveValidString,
    CompositeValidator,
    ConfigDef,
    ConfigType,
    Importance,
    NonEmptyString,
    NonNullValidator,
    Password,
    Range,
    ValidList,
    ValidString,
)
from penstock.config.definition import parse_type
from penstock.errors import ConfigError

LOW = Importance.LOW


@pytest.mark.parametrize(
    ("of", "given", "parsed"),
    [
        (ConfigType.BOOLEAN, " TRUE ", True),
        (ConfigType.BOOLEAN, False, False),
        (ConfigType.INT, " 2147483647 ", 2147483647),
        (ConfigType.INT, "+7", 7),
        (ConfigType.SHORT, "-32768", -32768),
        (ConfigType.LONG, "9223372036854775807", 2**63 - 1),
        (ConfigType.DOUBLE, "1e3", 1000.0),
        (ConfigType.DOUBLE, 3, 3.0),
        (ConfigType.STRING, "  a b ", "a b"),
        (ConfigType.LIST, "", []),
        (ConfigType.LIST, " a , b,,c ", ["a", "b", "", "c"]),
        (ConfigType.LIST, ("a",), ["a"]),
        (ConfigType.CLASS, " com.acme.X ", "com.acme.X"),
        (ConfigType.PASSWORD, " s ", Password("s")),
        (ConfigType.INT, None, None),
    ],
)
def test_values_are_read_from_text_or_taken_as_they_are(of: ConfigType, given: Any, parsed: Any) -> None:
    assert parse_type("k", given, of) == parsed


@pytest.mark.parametrize(
    ("of", "given", "message"),
    [
        (ConfigType.BOOLEAN, "yes", "Invalid value yes for configuration k: Expected value to be either true or false"),
        (ConfigType.INT, "2147483648", "Invalid value 2147483648 for configuration k: Not a number of type INT"),
        (ConfigType.INT, "1.0", "Invalid value 1.0 for configuration k: Not a number of type INT"),
        (ConfigType.INT, "1_000", "Invalid value 1_000 for configuration k: Not a number of type INT"),
        (ConfigType.INT, "", "Invalid value  for configuration k: Not a number of type INT"),
        (ConfigType.SHORT, "40000", "Invalid value 40000 for configuration k: Not a number of type SHORT"),
        (ConfigType.LONG, "x", "Invalid value x for configuration k: Not a number of type LONG"),
        (ConfigType.DOUBLE, "1_0", "Invalid value 1_0 for configuration k: Not a number of type DOUBLE"),
    ],
)
def test_what_cannot_be_read_is_refused_in_kafkas_words(of: ConfigType, given: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_type("k", given, of)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("validator", "value", "problem"),
    [
        (Range.between(1, 3), 4, "Invalid value 4 for configuration k: Value must be no more than 3"),
        (Range.at_least(1), None, "Invalid value null for configuration k: Value must be non-null"),
        (ValidString("a", "b"), "c", "Invalid value c for configuration k: String must be one of: a, b"),
        (
            CaseInsensitiveValidString("a"),
            "B",
            "Invalid value B for configuration k: String must be one of (case insensitive): A",
        ),
        (NonEmptyString(), "", "Invalid value  for configuration k: String must be non-empty"),
        (
            CompositeValidator(NonNullValidator()),
            None,
            "Invalid value null for configuration k: entry must be non null",
        ),
        (ValidList("a"), ["a", "a"], "Configuration 'k' values must not be duplicated."),
        (ValidList("a"), ["b"], "Invalid value b for configuration k: String must be one of: a"),
        (
            ValidList(allow_empty=False),
            [],
            "Configuration 'k' must not be empty. Valid values include: any non-empty value",
        ),
    ],
)
def test_checks_speak_as_kafkas_do(validator: Any, value: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validator.ensure_valid("k", value)
    assert caught.value.message == problem


def test_repeated_items_are_dropped_in_use_and_called_an_error_in_validation(caplog: pytest.LogCaptureFixture) -> None:
    kept = ValidList.any_non_duplicate_values(allow_empty=True, allow_null=False)
    definition = ConfigDef().define("names", ConfigType.LIST, validator=kept, importance=LOW, doc="d")
    assert definition.parse({"names": "b,a,b"}) == {"names": ["b", "a"]}
    assert "names has values more than once" in caplog.text
    (checked,) = definition.validate({"names": "b,a,b"})
    assert checked.errors == ["Configuration 'names' values must not be duplicated."]


def test_parse_fills_in_defaults_and_demands_what_has_none() -> None:
    definition = (
        ConfigDef()
        .define("a", ConfigType.INT, "5", importance=LOW, doc="d")
        .define("b", ConfigType.STRING, importance=LOW, doc="d")
    )
    assert definition.parse({"b": "x", "other": "y"}) == {"a": 5, "b": "x"}
    with pytest.raises(ConfigError, match='Missing required configuration "b" which has no default value'):
        definition.parse({"a": "1"})


def test_a_setting_cannot_be_defined_twice_and_a_default_must_pass_its_own_check() -> None:
    definition = ConfigDef().define("a", ConfigType.INT, 5, importance=LOW, doc="d")
    with pytest.raises(ConfigError, match="defined twice"):
        definition.define("a", ConfigType.INT, 5, importance=LOW, doc="d")
    with pytest.raises(ConfigError, match="must be at least 1"):
        definition.define("b", ConfigType.INT, 0, importance=LOW, doc="d", validator=Range.at_least(1))


def test_a_copy_does_not_change_its_original() -> None:
    base = ConfigDef().define("a", ConfigType.INT, 5, importance=LOW, doc="d", group="G")
    more = ConfigDef(base).define("b", ConfigType.INT, 5, importance=LOW, doc="d", group="H")
    assert (base.names, base.groups, more.groups) == ({"a"}, ["G"], ["G", "H"])


def test_recommenders_see_the_other_values_and_an_embedded_one_sees_names_without_the_prefix() -> None:
    class Others:
        def valid_values(self, name: str, parsed: Mapping[str, Any]) -> Sequence[Any]:
            return [name, *sorted(parsed)]

        def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
            return parsed.get("a") == 1

    inner = (
        ConfigDef()
        .define("a", ConfigType.INT, 1, importance=LOW, doc="d")
        .define("b", ConfigType.INT, 2, importance=LOW, doc="d", recommender=Others(), dependents=("a",))
    )
    outer = ConfigDef().define("z", ConfigType.INT, 3, importance=LOW, doc="d").embed("p.", "P", 0, inner)
    values = {v.name: v for v in outer.validate({"p.a": "1"})}
    assert values["p.b"].recommended_values == ["b", "a", "b"]
    assert values["p.b"].visible
    assert not {v.name: v for v in outer.validate({"p.a": "9"})}["p.b"].visible
    key = outer.key("p.b")
    assert key is not None
    assert key.dependents == ("p.a",)


def test_passwords_never_show() -> None:
    secret = Password("hunter2")
    assert f"{secret} {secret!r}" == "[hidden] [hidden]"
    assert secret.value == "hunter2"
    assert (secret == Password("hunter2"), secret == Password("x"), secret == "hunter2") == (True, False, False)
