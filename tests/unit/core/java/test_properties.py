"""Settings from files and from the environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.config.files import from_environment, load_connector, load_file, load_properties
from penstock.errors import ConfigError
from penstock.java.properties import parse_properties


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", {"a": "1"}),
        ("a = 1", {"a": "1"}),
        ("a:1", {"a": "1"}),
        ("a 1", {"a": "1"}),
        ("a  :  1 ", {"a": "1 "}),
        ("a\t=\t1", {"a": "1"}),
        ("a==1", {"a": "=1"}),
        ("a = : 1", {"a": ": 1"}),
        ("a", {"a": ""}),
        ("=v", {"": "v"}),
        ("  # not=this\n! nor=this\n\n \t\na=1", {"a": "1"}),
        ("a=1\na=2", {"a": "2"}),
        ("a=1\r\nb=2\rc=3", {"a": "1", "b": "2", "c": "3"}),
        ("a=one, \\\n   two", {"a": "one, two"}),
        ("a=one\\\\\nb=2", {"a": "one\\", "b": "2"}),
        ("a=one\\\n#two", {"a": "one#two"}),
        ("# comment \\\na=1", {"a": "1"}),
        ("a=1\\\n\\\nb", {"a": "1b"}),
        ("a=1\\", {"a": "1"}),
        ("k\\=e\\:y\\ s=v", {"k=e:y s": "v"}),
        ("a=\\t\\n\\r\\f\\q\\\\", {"a": "\t\n\r\fq\\"}),
        ("a=\\u00e9\\uD83D\\uDE00", {"a": "é😀"}),
        ("a=C:\\\\dir", {"a": "C:\\dir"}),
        ("a=\u2028x\x0by\x85", {"a": "\u2028x\x0by\x85"}),
        ("\ufeffa=1", {"a": "1"}),
        (
            'sasl.jaas.config=a \\\n  username="x" \\\n  password="y#z";',
            {"sasl.jaas.config": 'a username="x" password="y#z";'},
        ),
    ],
)
def test_properties_are_read_as_java_reads_them(text: str, expected: dict[str, str]) -> None:
    assert parse_properties(text) == expected


@pytest.mark.parametrize("text", ["a=\\u12", "a=\\u12G4", "a=\\u"])
def test_a_malformed_unicode_escape_is_refused_naming_the_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "w.properties").write_text(text)
    with pytest.raises(ConfigError, match=r"w\.properties: line 1: Malformed \\u escape"):
        load_properties(tmp_path / "w.properties")


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" if not c.isalnum() or ord(c) > 126 else c for c in text)


@given(
    st.dictionaries(
        st.text(st.characters(max_codepoint=0xD7FF), min_size=1), st.text(st.characters(max_codepoint=0xD7FF))
    )
)
def test_what_is_written_with_escapes_is_read_back(props: dict[str, str]) -> None:
    assert parse_properties("\n".join(f"{escaped(k)}={escaped(v)}" for k, v in props.items())) == props


def test_toml_takes_whole_keys_in_quotes_and_says_so_where_they_are_not(tmp_path: Path) -> None:
    file = tmp_path / "w.toml"
    file.write_text(
        '"offset.flush.interval.ms" = 1000\n"topic.creation.enable" = true\n"listeners" = ["http://:1", "http://:2"]'
    )
    assert load_file(file) == {
        "offset.flush.interval.ms": "1000",
        "topic.creation.enable": "true",
        "listeners": "http://:1,http://:2",
    }
    file.write_text("offset.flush.interval.ms = 1000")
    with pytest.raises(
        ConfigError, match=r'\'offset\' is a table; write the whole key in quotes, e\.g\. "offset\.flush"'
    ):
        load_file(file)


@pytest.mark.parametrize(
    ("content", "state"),
    [
        ({"name": "c", "config": {"connector.class": "X", "tasks.max": 2}}, None),
        ({"name": "c", "config": {"connector.class": "X", "tasks.max": "2"}, "initial_state": "paused"}, "PAUSED"),
        ({"name": "c", "connector.class": "X", "tasks.max": "2"}, None),
    ],
)
def test_a_connectors_json_comes_in_three_forms(content: object, state: str | None, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(json.dumps(content))
    found = load_connector(tmp_path / "c.json")
    assert found.name == "c"
    assert found.config == {"name": "c", "connector.class": "X", "tasks.max": "2"}
    assert found.initial_state == state


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"name": "c", "config": {}, "initial_state": "ASLEEP"}', "'ASLEEP'"),
        ('{"name": "c", "config": {"name": "d"}}', "'name' is 'c' but 'd'"),
        ('{"name": "c", "config": {}, "initial_sate": "PAUSED"}', "unknown key 'initial_sate'"),
        ('{"name": "c", "max": NaN}', "not valid JSON"),
        ("{" * 100_000, "not valid JSON"),
        ('{"connector.class": "X"}', "needs a 'name'"),
        ("[]", "expected a JSON object"),
        ("{", "not valid JSON"),
    ],
)
def test_a_connectors_file_that_says_something_else_is_refused(text: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        load_connector(tmp_path / "c.json")


@pytest.mark.parametrize("name", ["orders.conf", "orders.properties", "orders.json", "orders"])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" \n\t", "\ufeff".encode("utf-16-le")])
def test_a_connectors_json_is_known_by_its_content(name: str, before: bytes, tmp_path: Path) -> None:
    text = '{"name": "caf\u00e9", "config": {"connector.class": "X"}}'
    encoding = "utf-16-le" if before.startswith(b"\xff\xfe") else "utf-8"
    (tmp_path / name).write_bytes(before + text.encode(encoding))
    assert load_connector(tmp_path / name).config == {"name": "caf\u00e9", "connector.class": "X"}


def test_what_rest_answered_about_a_connector_can_be_loaded_again(tmp_path: Path) -> None:
    saved = {
        "name": "full", "config": {"connector.class": "X", "name": "full"}, "type": "source",
        "tasks": [{"connector": "full", "task": 0}],
    }  # fmt: skip
    (tmp_path / "saved.json").write_text(json.dumps(saved))
    assert load_connector(tmp_path / "saved.json").config == saved["config"]


@pytest.mark.parametrize(
    "number", ["1.10", "1e3", "-0.0", "12345678901234567890123", "0.1000000000000000055", "9" * 6000]
)
def test_a_number_keeps_its_text(number: str, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(f'{{"name": "c", "n": {number}, "many": [{number}, true]}}')
    assert load_connector(tmp_path / "c.json").config == {"name": "c", "n": number, "many": f"{number},true"}
    if "." in number or "e" in number:
        (tmp_path / "c.toml").write_text(f'name = "c"\nn = {number}\n')
        assert load_connector(tmp_path / "c.toml").config == {"name": "c", "n": number}


def test_toml_may_have_a_byte_order_mark_and_dates(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes(b'\xef\xbb\xbfname = "c"\nat = 2026-01-02T03:04:05Z\n')
    assert load_connector(tmp_path / "c.toml").config == {"name": "c", "at": "2026-01-02T03:04:05+00:00"}


def test_a_properties_file_that_is_not_utf8_is_latin_1_as_in_java(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "w.properties"
    file.write_bytes(b"# caf\xe9\nname=a\n")
    assert load_properties(file) == {"name": "a"}
    assert not caplog.records
    file.write_bytes(b"name=a\ntitle=caf\xe9\n")
    assert load_connector(file).config == {"name": "a", "title": "caf\u00e9"}
    assert "read as Latin-1, as Java does; look at title" in caplog.text
    assert "caf" not in caplog.text
    file.write_bytes("\ufeffname=caf\u00e9\n".encode())
    assert load_properties(file) == {"name": "caf\u00e9"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read .*none\.properties: No such file"):
        load_file(tmp_path / "none.properties")


def test_environment_variables_spell_dots_underscores_and_dashes() -> None:
    environ = {
        "CONNECT_BOOTSTRAP_SERVERS": "b:9092",
        "CONNECT_A__B": "1",
        "CONNECT_A___B_C": "2",
        "CONNECT_": "x",
        "PATH": "/bin",
    }
    assert from_environment(environ) == {"bootstrap.servers": "b:9092", "a_b": "1", "a-b.c": "2"}


@pytest.mark.parametrize(
    "text",
    [
        r'{"name":"a\ud800","config":{"connector.class":"X"}}',
        r'{"name":"a","config":{"connector.class":"X","topic":"half \udc00"}}',
        r'{"name":"a","connector.class":"X","producer.override.\ud800":"1"}',
    ],
)
def test_half_of_a_surrogate_pair_in_a_file_is_refused_as_rest_refuses_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.conf"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"c\.conf: the setting '.*' has half of a surrogate pair"):
        load_connector(file)


def test_a_whole_pair_is_a_character(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(r'{"name":"a\ud83d\ude00","connector.class":"X"}')
    assert load_connector(file).name == "a😀"


def test_an_object_in_json_is_called_one(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text('{"name":"a","config":{"connector.class":"X","offset":{"flush":1}}}')
    with pytest.raises(ConfigError, match="'offset' is an object"):
        load_connector(file)
