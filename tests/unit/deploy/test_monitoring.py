"""The dashboard and the alert rules in ``deploy/``: every expression names metrics that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.measured import parse
from penstock.herder.distributed.membership import GroupView
from penstock.herder.distributed.rebalance_meter import RebalanceMeter
from penstock.http.prometheus import Exposition, prometheus_name
from penstock.kafka.statistics import ClientStatistics
from penstock.measurements import Measurement, Windows
from penstock_registry.server.http.answer_meter import AnswerMeter
from penstock_registry.server.http.metered import Metered

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
LISTED = ROOT / "tests" / "vectors" / "connect_metrics.txt"
#: Texts in quotes, selectors, ranges and lists of labels: no metric's name stands in these.
NO_NAMES = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring)\s*\([^)]*\)')
WORDS = {"and", "or", "unless", "bool", "offset", "label_values"}


@cache
def there() -> frozenset[str]:
    """Every name that ``GET /metrics`` can have."""
    found = set()
    for line in LISTED.read_text().splitlines():
        bean, _, names = line.partition(": ")
        group = bean.partition("type=")[2].partition(",")[0]
        found |= {prometheus_name(group, name) for name in names.split(", ")}
    return frozenset(found | parse(Exposition(_others).text().decode()).names())


def _others() -> Iterator[Measurement]:
    yield Measurement("connector-task-metrics", "status", "running", {"connector": "c", "task": "0"})
    yield from Metered(AnswerMeter()).measurements()
    yield from RebalanceMeter(Windows(), "c").measurements(GroupView())
    for kind in ("producer", "consumer"):
        client = ClientStatistics()
        partitions = {"0": {"consumer_lag": 1, "txmsgs": 1, "txbytes": 1}}
        client.take(json.dumps({"type": kind, "client_id": "c", "topics": {"t": {"partitions": partitions}}}))
        yield from client.measurements()


def names_in(expression: str) -> set[str]:
    text = NO_NAMES.sub(" ", expression)
    words = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b", text)
    functions = set(re.findall(r"([a-zA-Z_]+)\s*\(", text))
    return {word for word in words if word not in functions | WORDS and not word.startswith("$") and len(word) > 2}


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana" / "penstock.json").read_text())
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for variable in dashboard()["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], variable["query"].partition("(")[2].partition(",")[0]


@pytest.mark.parametrize("expression", [pytest.param(text, id=name) for name, text in expressions()])
def test_an_expression_names_metrics_that_exist(expression: str) -> None:
    named = names_in(expression)
    assert named, f"no metric found in {expression}"
    assert named <= there()


def test_a_metric_that_is_not_there_is_found() -> None:
    expression = 'sum by (connector) (rate(kafka_connect_nothing_total{connector="kafka"}[5m])) > 3'
    assert names_in(expression) == {"kafka_connect_nothing_total"}
    assert not names_in(expression) <= there()


def test_panels_and_rules_have_names_of_their_own() -> None:
    titles = [panel["title"] for panel in dashboard()["panels"]]
    alerts = [rule["alert"] for rule in rules()]
    assert len(set(titles)) == len(titles)
    assert len(set(alerts)) == len(alerts)
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in rules())


def test_the_metrics_that_the_manual_names_are_there() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    table = page.partition("### Which ten to look at")[2].partition("\n#")[0]
    named = set(re.findall(r"`((?:kafka|process)_[a-z_]+)", table))
    assert len(named) == 10
    assert named <= there()
