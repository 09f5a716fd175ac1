"""The chain: copies where something is written, predicates, shapes that depend on the record."""

import copy
from typing import Any

import pytest

from penstock.api import LEFT_TO_APPLY, BoundTransform, InPlace, NewPart, Predicate, Shape, Transform
from penstock.data import INT64, OPTIONAL_STRING, STRING, Headers, Schema, SchemaBuilder, SourceRecord
from penstock.runtime.chain import Chain, Stage, StageError

ROW = SchemaBuilder.struct().name("Row").field("id", INT64).field("name", OPTIONAL_STRING).build()


def record(topic: str = "t", value: Any = None, schema: Schema | None = ROW) -> SourceRecord:
    return SourceRecord(topic, value_schema=schema, value={"id": 1, "name": "a"} if value is None else value)


def shape_of(r: SourceRecord) -> Shape:
    return Shape(r.topic, r.key_schema, r.value_schema)


class SetField(Transform):
    """Writes the value in place, and says so."""

    def __init__(self, name: str = "id", value: Any = 7) -> None:
        self.name, self.value, self.bound = name, value, 0

    def bind(self, shape: Shape) -> BoundTransform:
        self.bound += 1

        def apply(r: SourceRecord) -> SourceRecord:
            r.value[self.name] = self.value
            return r

        return BoundTransform(apply, shape, writes=frozenset({"value"}))


class Route(Transform):
    """The topic depends on the record."""

    def apply(self, r: SourceRecord) -> SourceRecord:
        r = copy.copy(r)
        r.topic = f"{r.topic}-{r.value['id']}"
        return r


class Widen(Transform):
    """Another schema afterwards."""

    def bind(self, shape: Shape) -> BoundTransform:
        assert shape.value_schema is not None
        wide = shape.value_schema.replace(fields=[*shape.value_schema.fields, ("wide", STRING)])

        def apply(r: SourceRecord) -> SourceRecord:
            r.value["wide"] = "yes"
            r.value_schema = wide
            return r

        return BoundTransform(apply, shape._replace(value_schema=wide), writes=frozenset({"value"}))


class Drop(Transform):
    def apply(self, r: SourceRecord) -> None:
        return None


class Fails(Transform):
    def apply(self, r: SourceRecord) -> SourceRecord:
        raise ValueError("no")


class IdIs(Predicate):
    def __init__(self, wanted: int) -> None:
        self.wanted = wanted

    def test(self, r: SourceRecord) -> bool:
        return bool(r.value["id"] == self.wanted)


class TopicIs(Predicate):
    decides_by_topic = True

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted

    def test(self, r: SourceRecord) -> bool:
        return r.topic == self.wanted


def chain(*transforms: Transform | tuple[Transform, Predicate] | tuple[Transform, Predicate, bool]) -> Chain:
    stages = []
    for i, item in enumerate(transforms):
        parts = item if isinstance(item, tuple) else (item,)
        stages.append(Stage(f"s{i}", parts[0], type(parts[0]).__name__, *parts[1:]))
    return Chain(stages)


def run(c: Chain, r: SourceRecord) -> Any:
    apply = c.bind(shape_of(r)).apply
    return r if apply is None else apply(r)


def test_an_empty_chain_costs_nothing_and_keeps_the_shape() -> None:
    bound = chain().bind(shape_of(record()))
    assert bound.apply is None
    assert bound.shape == shape_of(record())


def test_the_connectors_record_is_never_altered() -> None:
    before = record()
    after = run(chain(SetField(), SetField("name", "b")), before)
    assert after.value == {"id": 7, "name": "b"}
    assert before.value == {"id": 1, "name": "a"}


def test_a_sink_records_own_parts_are_written_without_a_copy() -> None:
    mine = record()
    bound = chain(SetField()).bind(shape_of(mine), frozenset({"record", "value"}))
    assert bound.apply is not None
    assert bound.apply(mine) is mine
    assert mine.value["id"] == 7


def test_only_the_first_writer_pays_for_a_copy() -> None:
    values = []

    class Watch(SetField):
        def bind(self, shape: Shape) -> BoundTransform:
            inner = super().bind(shape)

            def apply(r: SourceRecord) -> Any:
                values.append(id(r.value))
                return inner.apply(r)

            return inner._replace(apply=apply)

    run(chain(Watch(), Watch(), Watch()), record())
    assert len(set(values)) == 1


def test_a_value_that_was_replaced_is_copied_again_before_it_is_written() -> None:
    shared = {"id": 5, "name": None}

    class Replace(Transform):
        def bind(self, shape: Shape) -> BoundTransform:
            def apply(r: SourceRecord) -> SourceRecord:
                r.value = shared
                return r

            return BoundTransform(apply, shape, writes=frozenset({"record"}), replaces=frozenset({"value"}))

    assert run(chain(SetField(), Replace(), SetField()), record()).value["id"] == 7
    assert shared["id"] == 5


def test_headers_are_copied_before_they_are_written() -> None:
    class AddHeader(Transform):
        def bind(self, shape: Shape) -> BoundTransform:
            def apply(r: SourceRecord) -> SourceRecord:
                r.headers.add("h", b"1")
                return r

            return BoundTransform(apply, shape, writes=frozenset({"headers"}))

    before = record()
    after = run(chain(AddHeader(), AddHeader()), before)
    assert len(after.headers) == 2
    assert isinstance(after.headers, Headers)
    assert before.headers == []


@pytest.mark.parametrize(
    ("topic", "negate", "expected"), [("t", False, 7), ("u", False, 1), ("t", True, 1), ("u", True, 7)]
)
def test_a_predicate_that_the_topic_decides_is_decided_when_binding(topic: str, negate: bool, expected: int) -> None:
    transform = SetField()
    after = run(chain((transform, TopicIs("t"), negate)), record(topic))
    assert after.value["id"] == expected
    assert transform.bound == (1 if expected == 7 else 0)


def test_a_predicate_on_the_record_is_asked_for_each_record() -> None:
    c = chain((SetField("name", "hit"), IdIs(1)))
    assert run(c, record(value={"id": 1, "name": "a"})).value["name"] == "hit"
    assert run(c, record(value={"id": 2, "name": "a"})).value["name"] == "a"


def test_shapes_part_where_a_guarded_transform_changes_the_schema() -> None:
    c = chain((Widen(), IdIs(1)), SetField("name", "z"))
    wide = run(c, record(value={"id": 1, "name": "a"}))
    narrow = run(c, record(value={"id": 2, "name": "a"}))
    assert wide.value == {"id": 1, "name": "z", "wide": "yes"}
    assert [f.name for f in wide.value_schema.fields] == ["id", "name", "wide"]
    assert narrow.value == {"id": 2, "name": "z"}
    assert narrow.value_schema is ROW


def test_after_a_per_record_transform_the_rest_is_bound_to_what_comes_out() -> None:
    last = SetField("name", "q")
    c = chain(Route(), (last, TopicIs("t-2")))
    assert run(c, record(value={"id": 1, "name": "a"})).value["name"] == "a"
    routed = run(c, record(value={"id": 2, "name": "a"}))
    assert (routed.topic, routed.value["name"]) == ("t-2", "q")
    assert c.bind(shape_of(record())).shape is None


def test_a_dropped_record_ends_the_chain() -> None:
    never = SetField()
    assert run(chain((Drop(), IdIs(1)), never), record()) is None
    assert run(chain(Drop(), Fails()), record()) is None


@pytest.mark.parametrize("before", [(), (SetField(),), (Route(),)])
def test_an_error_names_the_stage_it_came_from(before: tuple[Transform, ...]) -> None:
    with pytest.raises(StageError) as caught:
        run(chain(*before, Fails(), SetField()), record())
    assert caught.value.stage.class_name == "Fails"
    assert isinstance(caught.value.__cause__, ValueError)


def test_what_was_bound_is_kept_per_shape() -> None:
    transform = SetField()
    c = chain(transform)
    for _ in range(3):
        run(c, record())
        run(c, record("other"))
    assert transform.bound == 2


class Refuses(Transform):
    """Cannot be bound to the shape at all."""

    def bind(self, shape: Shape) -> BoundTransform:
        raise ValueError("not this shape")


@pytest.mark.parametrize("negate", [False, True])
def test_a_shape_that_a_guarded_transform_cannot_handle_fails_only_records_that_come_to_it(negate: bool) -> None:
    c = chain((Refuses(), IdIs(1), negate))
    reached, spared = ({"id": 2, "name": "a"}, {"id": 1, "name": "a"}) if negate else ({"id": 1}, {"id": 2})
    assert run(c, record(value=spared)).value == spared
    for _ in range(2):
        with pytest.raises(StageError) as caught:
            run(c, record(value=reached))
        assert str(caught.value.__cause__) == "not this shape"


def test_a_record_that_is_dropped_early_never_meets_a_later_stage_that_cannot_be_bound() -> None:
    c = chain((Drop(), IdIs(1)), Refuses())
    assert run(c, record(value={"id": 1})) is None
    with pytest.raises(StageError) as caught:
        run(c, record(value={"id": 2}))
    assert caught.value.stage.class_name == "Refuses"
    with pytest.raises(StageError):
        chain(Refuses()).bind(shape_of(record()))


def test_transforms_that_edit_one_dict_in_a_row_share_a_copy_and_are_blamed_each_for_its_own() -> None:
    class Sets(Transform):
        def __init__(self, name: str, fails: bool = False) -> None:
            self.name, self.fails = name, fails

        def bind(self, shape: Shape) -> BoundTransform:
            def edit(value: dict[str, Any]) -> None:
                if self.fails:
                    raise ValueError(self.name)
                value[self.name] = id(value)

            def apply(r: SourceRecord) -> SourceRecord:
                if isinstance(r.value, dict):
                    edit(r.value)
                return r

            way = InPlace("value", edit, lambda error: KeyError(str(error)))
            return BoundTransform(apply, shape, writes=frozenset({"record", "value"}), in_place=way)

    before = record()
    after = run(chain(Sets("a"), Sets("b"), Sets("c")), before)
    assert after.value["a"] == after.value["b"] == after.value["c"] != id(before.value)
    assert before.value == {"id": 1, "name": "a"}
    text = record(value="text")
    assert run(chain(Sets("a"), Sets("b")), text).value == "text"
    with pytest.raises(StageError) as caught:
        run(chain(Sets("a"), Sets("b", fails=True), Sets("c")), before)
    assert caught.value.stage.alias == "s1"
    assert isinstance(caught.value.__cause__, KeyError)
    assert before.value == {"id": 1, "name": "a"}


class Halve(Transform):
    """Makes the value of its id; odd ones are dropped, and some get another schema."""

    def bind(self, shape: Shape) -> BoundTransform:
        after = shape._replace(value_schema=INT64)

        def apply(r: SourceRecord) -> SourceRecord | None:
            number = r.value["id"]
            if number % 2:
                return None
            r.value, r.value_schema = (number // 2, INT64) if number else (None, None)
            return r

        def make(value: Any) -> Any:
            number = value["id"]
            return LEFT_TO_APPLY if number % 2 or not number else number // 2

        return BoundTransform(
            apply, None, writes=frozenset({"record"}), owns=frozenset({"value"}), new_part=NewPart("value", make, True, after)
        )  # fmt: skip


class Hoist(Transform):
    """Wraps the value; has a way of its own for a null."""

    def bind(self, shape: Shape) -> BoundTransform:
        if shape.value_schema is None:
            return BoundTransform(lambda r: r, shape)
        wrapped = SchemaBuilder.struct().field("n", shape.value_schema).build()

        def apply(r: SourceRecord) -> SourceRecord:
            r.value, r.value_schema = {"n": r.value}, wrapped
            return r

        def make(value: Any) -> Any:
            return {"n": value}

        after = shape._replace(value_schema=wrapped)
        return BoundTransform(
            apply, after, writes=frozenset({"record"}), owns=frozenset({"value"}), new_part=NewPart("value", make, True)
        )  # fmt: skip


def test_a_chain_whose_usual_records_have_a_shape_beforehand_has_steps_for_these() -> None:
    chain = Chain([Stage("halve", Halve(), "Halve"), Stage("hoist", Hoist(), "Hoist")])
    given = [record(value={"id": number, "name": "a"}) for number in (4, 3, 0)]
    bound = chain.bind(shape_of(given[0]))
    assert bound.apply is not None
    assert bound.shape is None
    usual, dropped, null = (bound.apply(r) for r in given)
    assert (usual.value, dropped, null.value, null.value_schema) == ({"n": 2}, None, None, None)
    assert bound.parts_shape == shape_of(usual)
    assert bound.parts is not None
    halve, hoist = bound.parts
    assert hoist.call(halve.call(given[0].value)) == usual.value
    assert [halve.leaves_some, hoist.leaves_some] == [True, False]
    assert halve.call(given[1].value) is halve.call(given[2].value) is LEFT_TO_APPLY


def test_a_chain_that_goes_on_record_by_record_has_no_steps() -> None:
    bound = Chain([Stage("halve", Halve(), "Halve"), Stage("route", Route(), "Route")]).bind(shape_of(record()))
    assert (bound.parts, bound.parts_shape) == (None, None)
