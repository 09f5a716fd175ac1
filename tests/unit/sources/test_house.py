"""The size and shape of the code: bars that every module, class and function keeps, and the few exceptions with their reasons."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = {
    "penstock": "core/penstock",
    "penstock_converters": "converters/penstock_converters",
    "penstock_transforms": "transforms/penstock_transforms",
    "penstock_registry": "registry/penstock_registry",
    "penstock_connectors": "connectors/penstock_connectors",
    "lab": "tests/lab",
}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_METHODS = 30
MAX_PARAMETERS = 10

LONG_FILES = {
    "core/penstock/kafka/errors.py": "a table: each code of a Kafka error with what it means and what to do",
}
LONG_CONSTRUCTORS = {
    "connectors/penstock_connectors/jdbc/source/columns.py::ResultColumn": "one column as JDBC's metadata has it: a value without behaviour",
    "core/penstock/config/definition.py::ConfigKey": "Kafka's ConfigKey: one definition of a setting has these parts",
    "core/penstock/runtime/sink/parts.py::SinkTaskParts": "a record of what a sink task is made of, so that the task has one parameter",
    "core/penstock/runtime/source/task.py::SourceTaskParts": "a record of what a source task is made of, so that the task has one parameter",
    "core/penstock/runtime/worker.py::Worker": "the worker wires what all of its connectors and tasks share; the herders' compose modules are the only callers",
    "core/penstock/storage/cluster_state.py::ClusterConfigState": "the tables of Kafka's ClusterConfigState",
    "connectors/penstock_connectors/jdbc/sink/config.py::SinkConfig": "one field for each setting of the JVM connector's JdbcSinkConfig that the task's parts read",
    "connectors/penstock_connectors/jdbc/urls/target.py::DatabaseUrl": "the parts of SQLAlchemy's URL, and beside them what goes to the driver",
    "converters/penstock_converters/protobuf/names.py::ProtobufDataOptions": "one field for each setting of Confluent's ProtobufDataConfig",
    "registry/penstock_registry/formats/avro/model.py::AvroSchema": "one node for every kind of Avro schema, with all attributes that the specification names",
    "registry/penstock_registry/formats/jsonschema/model.py::ArrayNode": "one field for each keyword of JSON Schema about arrays",
    "registry/penstock_registry/formats/jsonschema/model.py::ObjectNode": "one field for each keyword of JSON Schema about objects",
    "registry/penstock_registry/server/config.py::ServerConfig": "one field for each setting of the registry's server",
    "registry/penstock_registry/server/requests.py::SchemaRequest": "one field for each field of the body of a registration",
}


@dataclass(frozen=True)
class Module:
    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


@cache
def modules() -> tuple[Module, ...]:
    paths = [path for folder in PACKAGES.values() for path in sorted((ROOT / folder).rglob("*.py"))]
    return tuple(Module(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in paths)


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                yield f"{module.name}::{node.name}", node


def methods(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [part for part in node.body if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef))]


def parameters(node: ast.ClassDef) -> int:
    """Return how many parameters the class's constructor takes, `self` left out; a dataclass takes its fields."""
    for method in methods(node):
        if method.name == "__init__":
            return len(method.args.posonlyargs + method.args.args + method.args.kwonlyargs) - 1
    if not any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return 0
    fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
    return sum(
        "ClassVar" not in ast.unparse(part.annotation) and "init=False" not in ast.unparse(part) for part in fields
    )


def import_circles() -> list[list[str]]:
    """Return the strongly connected parts of the graph of imports; imports for type checkers do not count."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    importers = reversed_edges(imports)
    circles = []
    left = set(imports)
    while left:
        start = left.pop()
        # A module is in a circle with `start` if each reaches the other.
        circle = sorted(reached_from(start, imports) & reached_from(start, importers))
        left.difference_update(circle)
        if len(circle) > 1:
            circles.append(circle)
    return circles


def reached_from(start: str, edges: dict[str, set[str]]) -> set[str]:
    reached, waiting = {start}, [start]
    while waiting:
        new = edges[waiting.pop()] - reached
        reached |= new
        waiting.extend(new)
    return reached


def reversed_edges(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    turned: dict[str, set[str]] = {module: set() for module in edges}
    for module, imported in edges.items():
        for other in imported:
            turned[other].add(module)
    return turned


def test_modules_import_each_other_in_no_circle() -> None:
    assert import_circles() == []


def test_no_file_is_long_except_tables() -> None:
    long = {module.name for module in modules() if module.text.count("\n") > MAX_FILE_LINES}
    assert long == set(LONG_FILES)


def test_a_function_fits_a_screen() -> None:
    long = [
        f"{module.name}::{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    ]
    assert long == []


def test_no_class_has_too_many_methods() -> None:
    large = [f"{name}: {len(methods(node))} methods" for name, node in classes() if len(methods(node)) > MAX_METHODS]
    assert large == []


def test_constructors_take_few_parameters_or_say_why() -> None:
    assert {name for name, node in classes() if parameters(node) > MAX_PARAMETERS} == set(LONG_CONSTRUCTORS)


@pytest.mark.parametrize("exceptions", [LONG_FILES, LONG_CONSTRUCTORS])
def test_every_exception_has_its_reason(exceptions: dict[str, str]) -> None:
    assert all(reason.strip() for reason in exceptions.values())
