"""What is in ``deploy/``: linted as far as that goes without a container engine, and true to the worker's own settings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import compose_spec
import kubernetes_validate
import pytest
import yaml

import penstock
from penstock.config.files import from_environment, load_file
from penstock.config.worker import WorkerConfig
from penstock.java.properties import parse_properties

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
IMAGE = f"penstock:{penstock.__version__}"
#: The schemas' version; a cluster may be newer.
KUBERNETES = "1.31"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


# --- the image


def test_the_dockerfile_has_no_fault_that_hadolint_finds() -> None:
    ran = run(Path(sys.executable).parent / "hadolint", DOCKERFILE)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_the_image_is_pinned_runs_as_nobody_and_says_when_it_is_well() -> None:
    text = DOCKERFILE.read_text()
    bases = re.findall(r"^FROM (\S+)", text, re.M)
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases)
    last = text.rpartition("FROM ")[2]
    assert re.search(r"^USER 10001:10001$", last, re.M)
    assert "HEALTHCHECK" in last
    assert "/src" not in last, "nothing of the sources is in the image"


def test_what_the_image_is_made_of_is_there_and_goes_into_the_build() -> None:
    ignored = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in ignored if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE.read_text(), re.M):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(source == name or source.startswith(f"{name}/") for name in allowed), source


def test_every_dependency_is_pinned_and_none_for_nothing() -> None:
    lines = (DEPLOY / "docker" / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    wanted = run(sys.executable, "-c", "import importlib.metadata as m; print(*m.requires('penstock'), sep='\\n')")
    names = {re.split(r"[^\w-]", line.lower())[0] for line in wanted.stdout.splitlines()} - {"penstock"}
    assert names <= pins.keys()


# --- compose


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())


def test_the_compose_file_is_one_by_the_specification() -> None:
    read = compose_spec.PyCompose.from_json(json.dumps(compose()))  # the library merges no "<<"
    read.validate()
    assert set(read.service_names()) == {"kafka", "registry", "worker1", "worker2", "prometheus", "grafana"}
    wrong = compose()
    wrong["services"]["kafka"]["imgae"] = "kafka"
    with pytest.raises(ValueError, match="imgae"):
        compose_spec.PyCompose.from_json(json.dumps(wrong))


def test_every_image_of_the_compose_file_is_pinned_and_every_file_in_it_is_there() -> None:
    for name, service in compose()["services"].items():
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / "compose" / source).exists(), source
        assert set(service.get("depends_on", {})) <= set(compose()["services"])


@pytest.mark.parametrize("name", ["worker1", "worker2"])
def test_the_workers_of_the_compose_file_have_settings_that_a_worker_takes(name: str) -> None:
    service = compose()["services"][name]
    assert service["image"] == IMAGE
    props = {**load_file(DEPLOY / "docker" / "worker.properties"), **from_environment(service["environment"])}
    config = WorkerConfig.parse(props, "distributed")
    assert config.warnings == ()
    assert config["rest.advertised.host.name"] == name


def test_prometheus_scrapes_workers_and_registry_and_reads_the_rules_that_are_mounted() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    targets = [t for job in settings["scrape_configs"] for group in job["static_configs"] for t in group["targets"]]
    assert targets == ["worker1:8083", "worker2:8083", "registry:8081"]
    assert {target.split(":")[0] for target in targets} <= set(compose()["services"])
    mounted = {volume.split(":")[1] for volume in compose()["services"]["prometheus"]["volumes"]}
    assert {f"/etc/prometheus/{rule}" for rule in settings["rule_files"]} <= mounted


def test_grafana_is_given_the_dashboard_and_the_source_of_its_data() -> None:
    mounted = {volume.split(":")[1] for volume in compose()["services"]["grafana"]["volumes"]}
    provisioning = DEPLOY / "grafana" / "provisioning"
    [provider] = yaml.safe_load((provisioning / "dashboards" / "penstock.yaml").read_text())["providers"]
    assert f"{provider['options']['path']}/penstock.json" in mounted
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"


# --- systemd


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("unit", ["penstock-worker.service", "penstock-registry.service"])
def test_a_unit_has_no_fault_that_systemd_finds(tmp_path: Path, unit: str) -> None:
    text = (DEPLOY / "systemd" / unit).read_text()
    file = tmp_path / unit
    file.write_text(text.replace("/opt/penstock/bin/penstock", "/bin/true"))
    ran = run("systemd-analyze", "verify", file)
    assert (ran.returncode, ran.stderr) == (0, "")
    file.write_text(
        text.replace("KillMode=mixed", "KillMode=gently").replace("/opt/penstock/bin/penstock", "/bin/true")
    )
    assert "gently" in run("systemd-analyze", "verify", file).stderr


@pytest.mark.parametrize("unit", ["penstock-worker.service", "penstock-registry.service"])
def test_a_unit_starts_a_command_that_there_is_as_a_user_without_rights(unit: str) -> None:
    text = (DEPLOY / "systemd" / unit).read_text()
    [command] = re.findall(r"^ExecStart=/opt/penstock/bin/penstock (\w+) ", text, re.M)
    assert run(Path(sys.executable).parent / "penstock", command, "--help").returncode == 0
    for line in ("User=penstock", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert line in text.splitlines()


# --- Kubernetes


def manifests(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / name).read_text()))


def of_kind(name: str, kind: str) -> Any:
    [found] = [m for m in manifests(name) if m["kind"] == kind]
    return found


FILES = {"worker.yaml": "StatefulSet", "registry.yaml": "Deployment"}


@pytest.mark.parametrize("name", FILES)
def test_every_manifest_fits_its_schema(name: str) -> None:
    for manifest in manifests(name):
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    wrong = of_kind(name, FILES[name])
    wrong["spec"]["template"]["spec"]["containers"][0]["prots"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_pods_are_probed_bounded_and_without_rights(name: str, kind: str) -> None:
    pod = of_kind(name, kind)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == IMAGE
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"].startswith("/health")
        assert container[probe]["httpGet"]["port"] in ports
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize(("name", "kind"), FILES.items())
def test_one_pod_at_a_time_may_go_and_every_selector_finds_the_pods(name: str, kind: str) -> None:
    labels = of_kind(name, kind)["spec"]["template"]["metadata"]["labels"]
    budget = of_kind(name, "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    selectors = [budget["selector"]["matchLabels"], of_kind(name, kind)["spec"]["selector"]["matchLabels"]]
    selectors += [m["spec"]["selector"] for m in manifests(name) if m["kind"] == "Service"]
    assert all(selector.items() <= labels.items() for selector in selectors)
    assert of_kind(name, kind)["spec"]["replicas"] > 1


def test_the_workers_settings_in_kubernetes_are_a_workers_and_leave_it_time_to_stop() -> None:
    text = of_kind("worker.yaml", "ConfigMap")["data"]["worker.properties"]
    config = WorkerConfig.parse(parse_properties(text), "distributed")
    assert config.warnings == ()
    pod = of_kind("worker.yaml", "StatefulSet")["spec"]["template"]["spec"]
    assert config["task.shutdown.graceful.timeout.ms"] / 1000 < pod["terminationGracePeriodSeconds"] - 10
    services = {m["metadata"]["name"]: m for m in manifests("worker.yaml") if m["kind"] == "Service"}
    headless = services[of_kind("worker.yaml", "StatefulSet")["spec"]["serviceName"]]
    assert headless["spec"]["clusterIP"] == "None"
    environment = {entry["name"]: entry.get("value", "") for entry in pod["containers"][0]["env"]}
    assert headless["metadata"]["name"] in environment["CONNECT_REST_ADVERTISED_HOST_NAME"]


def test_every_name_of_the_registry_is_that_of_its_service() -> None:
    service = of_kind("registry.yaml", "Service")["metadata"]["name"]
    text = of_kind("worker.yaml", "ConfigMap")["data"]["worker.properties"]
    assert f"schema.registry.url=http://{service}:8081" in text
