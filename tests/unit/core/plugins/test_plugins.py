"""What a name in a config means, and what happens to plugins that are broken, twice there, or not there at all."""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from pathlib import Path

import pytest

from penstock.api import Converter, Plugin, Predicate, hookimpl
from penstock.config.lookup import ClassValidator, class_parser
from penstock.errors import ConfigError, PluginError
from penstock.plugins import BrokenSource, PluginInfo, PluginKind, Plugins, PluginSettings
from penstock.plugins.discovery import HookSource, from_entry_points, from_folders
from penstock.plugins.lookup import Lookup
from penstock.plugins.names import nearest, short_names

CONVERTER = PluginKind.CONVERTER
JSON = Plugin("json", "json:JSONDecoder", ("org.apache.kafka.connect.json.JsonConverter",))


class Acme:
    """A distribution's hooks, made of descriptors."""

    def __init__(self, *converters: Plugin, connectors: tuple[Plugin, ...] = (), transforms: tuple[Plugin, ...] = ()):
        self.converters, self.connectors, self.transforms = converters, connectors, transforms

    @hookimpl
    def penstock_register_converters(self) -> list[Plugin]:
        return list(self.converters)

    @hookimpl
    def penstock_register_connectors(self) -> list[Plugin]:
        return list(self.connectors)

    @hookimpl
    def penstock_register_transforms(self) -> list[Plugin]:
        return list(self.transforms)


def named(**distributions: object) -> Plugins:
    return Plugins([HookSource(name, name, hooks) for name, hooks in distributions.items()])


@pytest.mark.parametrize(
    "name",
    [
        "json",
        "org.apache.kafka.connect.json.JsonConverter",
        "JsonConverter",
        "Json",
        "json:JSONDecoder",
        "json.JSONDecoder",
    ],
)
def test_a_class_is_found_by_every_kind_of_name(name: str) -> None:
    assert Plugins.of(Acme(JSON)).find(CONVERTER, name).plugin is JSON


@pytest.mark.parametrize(
    ("class_name", "short"),
    [
        ("org.apache.kafka.connect.file.FileStreamSourceConnector", {"FileStreamSourceConnector", "FileStreamSource"}),
        ("org.apache.kafka.connect.transforms.Cast$Value", {"Cast$Value"}),
        ("org.apache.kafka.connect.storage.SimpleHeaderConverter", {"SimpleHeaderConverter", "SimpleHeader", "Simple"}),
        ("org.apache.kafka.common.config.provider.FileConfigProvider", {"FileConfigProvider", "File"}),
    ],
)
def test_short_names_are_kafkas_plugin_aliases(class_name: str, short: set[str]) -> None:
    assert set(short_names(Plugin("x", "m:X", (class_name,)))) - {"X"} == short


def test_a_name_is_looked_up_among_plugins_of_the_kind_that_is_asked_for() -> None:
    with pytest.raises(PluginError, match="No header converter is known by the name 'json'"):
        Plugins.of(Acme(JSON)).find(PluginKind.HEADER_CONVERTER, "json")


def test_an_unknown_name_is_answered_with_the_nearest_and_the_pip_command() -> None:
    settings = PluginSettings(install={"io.acme.JsonnConverter": "penstock-acme"})
    with pytest.raises(PluginError) as caught:
        Plugins.of(Acme(JSON), settings=settings).find(CONVERTER, "io.acme.JsonnConverter")
    assert "nearest known: JsonConverter" in caught.value.message
    assert 'pip install "penstock-acme"' in caught.value.message


def test_three_names_are_suggested_at_most_and_none_that_is_unlike() -> None:
    known = ["AvroConverter", "Avro", "x.y.AvroConverter2", "AvroConvertor", "Zzz"]
    assert nearest("Avroconverter", known) == ["AvroConverter", "x.y.AvroConverter2", "AvroConvertor"]
    assert nearest("Avroconverter", ["Zzz"]) == []


def test_a_target_is_imported_only_when_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_package(tmp_path, "penstock_lazy", conv="from penstock.api import Converter\nclass Lazy(Converter): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins.of(Acme(Plugin("lazy", "penstock_lazy.conv:Lazy")))
    assert [i.class_name for i in plugins.infos()] == ["penstock_lazy.conv.Lazy"]
    plugins.find(CONVERTER, "lazy")
    assert "penstock_lazy" not in sys.modules
    assert issubclass(plugins.load(CONVERTER, "lazy"), Converter)
    assert isinstance(plugins.new(CONVERTER, "Lazy"), Converter)


def test_a_class_nobody_announces_is_named_by_its_python_path() -> None:
    assert Plugins.of().load(CONVERTER, "penstock.api:Converter") is Converter
    assert Plugins.of().load(CONVERTER, "penstock.api.Converter") is Converter


def test_a_class_of_another_kind_is_refused_by_name() -> None:
    plugins = Plugins.of(Acme(Plugin("bad", "penstock.api:Predicate"), Plugin("worse", "json:dumps")))
    with pytest.raises(PluginError, match=r"'bad' .*penstock.api:Predicate: it does not extend penstock.api.Converter"):
        plugins.load(CONVERTER, "bad")
    with pytest.raises(PluginError, match="it is not a class but a function"):
        plugins.load(CONVERTER, "worse")


def test_a_missing_library_is_named_with_the_command_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path, "penstock_needy", conv="import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugin = Plugin("needy", "penstock_needy.conv:C", ("io.acme.Needy",))
    plugins = Plugins.of(Acme(plugin), settings=PluginSettings(install={"io.acme.Needy": "penstock[needy]"}))
    with pytest.raises(PluginError, match=r"'no_such_library'.*pip install \"penstock\[needy\]\""):
        plugins.load(CONVERTER, "needy")


def test_two_plugins_with_one_name_are_refused_naming_both_and_one_can_be_disabled() -> None:
    mine, theirs = Plugin("json", "penstock.api:Converter"), Plugin("json", "penstock.api.converter:Converter")
    plugins = named(mine=Acme(mine), theirs=Acme(theirs))
    with pytest.raises(PluginError, match=r"'json' is claimed by mine .* and theirs .*\"theirs/json\""):
        plugins.find(CONVERTER, "json")
    assert all(info.error and "mine" in info.error and "theirs" in info.error for info in plugins.infos())
    sources = [HookSource("mine", "mine", Acme(mine)), HookSource("theirs", "theirs", Acme(theirs))]
    settled = Plugins(sources, PluginSettings(disabled=frozenset({"theirs/json"})))
    assert settled.find(CONVERTER, "json").plugin is mine
    assert settled.infos()[0].error is None


def test_an_ambiguous_short_name_leaves_the_full_names_usable() -> None:
    plugins = named(
        a=Acme(Plugin("a", "penstock.api:Converter", ("com.a.JsonConverter",))),
        b=Acme(Plugin("b", "penstock.api.converter:Converter", ("com.b.JsonConverter",))),
    )
    assert plugins.find(CONVERTER, "com.b.JsonConverter").plugin.name == "b"
    with pytest.raises(PluginError, match=r"claimed by a .* and b"):
        plugins.find(CONVERTER, "JsonConverter")
    assert [i.error for i in plugins.infos()] == [None, None]


def test_disabled_plugins_are_gone_by_name_class_or_distribution() -> None:
    for name in ("json", "org.apache.kafka.connect.json.JsonConverter", "acme"):
        source = HookSource("acme", "acme", Acme(JSON))
        assert Plugins([source], PluginSettings(disabled=frozenset({name}))).infos() == []


def test_an_alias_of_plugins_toml_stands_for_a_plugin() -> None:
    plugins = Plugins.of(Acme(JSON), settings=PluginSettings(aliases={"com.acme.Fancy": "json"}))
    assert plugins.find(CONVERTER, "com.acme.Fancy").plugin is JSON


def entry_point(tmp_path: Path, distribution: str, name: str, value: str) -> importlib.metadata.EntryPoint:
    folder = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[penstock]\n{name} = {value}\n")
    (point,) = importlib.metadata.PathDistribution(folder).entry_points
    return point


def write_package(folder: Path, name: str, **modules: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("")
    for module, text in modules.items():
        (folder / name / f"{module}.py").write_text(text)


def hooks_text(name: str) -> str:
    return (
        "from penstock.api import Plugin, hookimpl\n"
        "@hookimpl\n"
        "def penstock_register_converters():\n"
        f"    return [Plugin({name!r}, 'penstock.api:Converter', aliases=('com.{name}.C',))]\n"
    )


def test_two_distributions_with_one_entry_point_name_are_both_taken_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path, "penstock_one", plugin=hooks_text("one"))
    write_package(tmp_path, "penstock_two", plugin=hooks_text("two"))
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        entry_point(tmp_path, "acme-one", "converters", "penstock_one.plugin"),
        entry_point(tmp_path, "acme-two", "converters", "penstock_two.plugin"),
    ]
    plugins = Plugins(from_entry_points(frozenset(), points))
    assert {(i.distribution, i.plugin.name) for i in plugins.infos()} == {("acme-one", "one"), ("acme-two", "two")}


def test_a_broken_import_is_reported_with_its_distribution_and_stops_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path, "penstock_brk", plugin="1 / 0\n")
    write_package(tmp_path, "penstock_fine", plugin=hooks_text("fine"))
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        entry_point(tmp_path, "acme-broken", "p", "penstock_brk.plugin"),
        entry_point(tmp_path, "acme-fine", "p", "penstock_fine.plugin"),
    ]
    plugins = Plugins(from_entry_points(frozenset(), points))
    assert [i.plugin.name for i in plugins.infos()] == ["fine"]
    (broken,) = plugins.broken
    assert broken.distribution == "acme-broken"
    assert "ZeroDivisionError" in broken.error
    with pytest.raises(PluginError, match="Plugins of acme-broken could not be taken in"):
        plugins.find(CONVERTER, "brokn")


def test_a_disabled_distribution_is_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_package(tmp_path, "penstock_off", plugin="raise AssertionError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    point = entry_point(tmp_path, "acme-off", "p", "penstock_off.plugin")
    assert list(from_entry_points(frozenset({"acme-off"}), [point])) == []


def test_folders_beside_pip_bring_packages_and_unpacked_distributions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    write_package(tmp_path, "penstock_loose", plugin=hooks_text("loose"))
    write_package(tmp_path, "acme_unpacked", plugin=hooks_text("unpacked"))
    entry_point(tmp_path, "acme-unpacked", "p", "acme_unpacked.plugin")
    plugins = Plugins(from_folders({"mine": tmp_path, "gone": tmp_path / "gone"}, frozenset()))
    assert {(i.distribution, i.plugin.name) for i in plugins.infos()} == {
        ("mine", "loose"),
        ("acme-unpacked", "unpacked"),
    }
    assert [b.distribution for b in plugins.broken] == ["gone"]


def test_a_hook_that_raises_or_returns_rubbish_is_reported_and_the_rest_is_kept() -> None:
    class Raising:
        @hookimpl
        def penstock_register_converters(self) -> list[Plugin]:
            raise RuntimeError("boom")

    class Rubbish:
        @hookimpl
        def penstock_register_converters(self) -> list[str]:
            return ["json"]

    plugins = named(raising=Raising(), rubbish=Rubbish(), fine=Acme(JSON))
    assert [i.plugin.name for i in plugins.infos()] == ["json"]
    assert {b.distribution: b.error.split(":")[0] for b in plugins.broken} == {
        "raising": "penstock_register_converters failed",
        "rubbish": "penstock_register_converters failed",
    }


def test_a_misspelled_hook_is_reported_with_the_hook_it_may_mean() -> None:
    class Typo:
        @hookimpl
        def penstock_register_convertors(self) -> list[Plugin]:
            return []

    (broken,) = named(typo=Typo()).broken
    assert broken == BrokenSource(
        "typo", "typo", "there is no hook penstock_register_convertors; did it mean penstock_register_converters?"
    )


def test_hook_task_failed_reaches_every_observer_though_one_raises(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[tuple[str, int, str]] = []

    class Listening:
        @hookimpl
        def penstock_task_failed(self, connector: str, task: int, error: BaseException) -> None:
            heard.append((connector, task, str(error)))

    class Raising:
        @hookimpl
        def penstock_task_failed(self, connector: str) -> None:
            raise RuntimeError("observer")

    plugins = named(a=Listening(), b=Raising(), c=Listening())
    with caplog.at_level(logging.ERROR):
        plugins.task_failed("c1", 3, ValueError("why"))
    assert heard == [("c1", 3, "why")] * 2
    assert "penstock_task_failed of b" in caplog.text


def test_a_class_that_cannot_be_instantiated_is_reported_with_its_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "from penstock.api import Converter\nclass Bad(Converter):\n    def __init__(self):\n        raise RuntimeError('no')\n"
    write_package(tmp_path, "penstock_unmakeable", conv=text)
    monkeypatch.syspath_prepend(tmp_path)
    plugins = named(acme=Acme(Plugin("bad", "penstock_unmakeable.conv:Bad")))
    with pytest.raises(PluginError, match="of acme could not be instantiated: RuntimeError: no"):
        plugins.new(CONVERTER, "bad")


def test_what_is_installed_is_found_without_anything_broken() -> None:
    plugins = Plugins.discover()
    assert plugins.broken == []
    assert [i for i in plugins.infos() if i.error] == []
    found = plugins.find(PluginKind.CONFIG_PROVIDER, "org.apache.kafka.common.config.provider.FileConfigProvider")
    assert isinstance(found, PluginInfo)
    assert found.distribution == "penstock"


def test_the_same_class_announced_under_two_names_by_one_distribution_is_no_conflict() -> None:
    plugins = Plugins.of(Acme(Plugin("a", "penstock.api:Converter"), Plugin("b", "penstock.api:Converter")))
    assert plugins.find(CONVERTER, "penstock.api:Converter").plugin.name == "a"
    assert [i.error for i in plugins.infos()] == [None, None]


def test_a_python_path_whose_package_fails_to_import_is_reported_and_a_jvm_name_is_just_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path, "penstock_badpkg")
    (tmp_path / "penstock_badpkg" / "__init__.py").write_text("import nothing_of_the_kind\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="nothing_of_the_kind"):
        Plugins.of().find(PluginKind.PREDICATE, "penstock_badpkg.mod:X")
    with pytest.raises(PluginError, match="No predicate is known"):
        Plugins.of().find(PluginKind.PREDICATE, "io.acme.Predicate$Inner")
    assert Plugins.of().load(PluginKind.PREDICATE, "penstock.api.transform:Predicate") is Predicate


@pytest.mark.parametrize(
    "outer",
    ["Cast", "Drop", "ExtractField", "Flatten", "HoistField", "InsertField", "MaskField", "ReplaceField",
     "SetSchemaMetadata", "TimestampConverter"],
)  # fmt: skip
def test_an_outer_class_names_the_two_there_are_where_it_is_validated_and_where_it_is_used(outer: str) -> None:
    plugins = Plugins.discover(PluginSettings())
    java = f"org.apache.kafka.connect.transforms.{outer}"
    expected = f"This class is abstract and cannot be created. Did you mean {java}$Key, {java}$Value?"
    if outer == "Drop":  # not one of Kafka's
        java, expected = "Drop", "This class is abstract and cannot be created. Did you mean Drop$Key, Drop$Value?"
    key, lookup = "transforms.a.type", Lookup(plugins)
    with pytest.raises(ConfigError) as refused:
        ClassValidator(lookup, "transformation").ensure_valid(key, class_parser(lookup, "transformation")(key, java))
    assert str(refused.value) == expected
    with pytest.raises(PluginError) as unknown:
        plugins.new(PluginKind.TRANSFORM, java)
    assert expected in str(unknown.value)


def test_every_transform_of_a_part_names_its_parts() -> None:
    plugins = Plugins.discover(PluginSettings())
    names = {
        name.rpartition("$")[0]
        for info in plugins.infos(PluginKind.TRANSFORM)
        for name in (info.class_name, *info.plugin.aliases)
        if "$" in name
    }
    assert len(names) > 8
    assert plugins.concrete_names(PluginKind.TRANSFORM, "cast") == ["cast.key", "cast.value"]
    assert plugins.concrete_names(PluginKind.TRANSFORM, "Nonsense") == []
    for outer in names:
        assert plugins.concrete_names(PluginKind.TRANSFORM, outer) == [f"{outer}$Key", f"{outer}$Value"]
