"""Documentation that is checked: the README's tour is run as it stands, and links lead somewhere."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from lab.worker_process import WorkerProcess, free_port

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("examples/*/*.md")]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_the_tour_of_the_readme_does_what_it_shows(tmp_path: Path) -> None:
    rest, registry = free_port(), free_port()
    block = re.search(
        r"<!-- tests/worker/test_readme\.py runs this block -->\n```sh\n(.*?)```", README.read_text(), re.DOTALL
    )
    assert block is not None
    tour = block[1].replace("localhost:8083", f"127.0.0.1:{rest}").replace("localhost:8081", f"127.0.0.1:{registry}")
    arguments = ["dev", "--rest-port", str(rest), "--registry-port", str(registry)]
    with WorkerProcess(arguments, tmp_path / "dev.log", f"http://127.0.0.1:{rest}") as dev:
        dev.wait_ready()
        ran = subprocess.run(["/bin/sh", "-e", "-c", tour], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        assert "error_code" not in ran.stdout
        assert '["people-value"]' in ran.stdout
        assert sorted((tmp_path / "copy.txt").read_text().splitlines()) == [
            "Struct{line=ada,36}",
            "Struct{line=grace,45}",
        ]
        assert dev.stop() == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("folder", ["docs", "docs/decisions"])
def test_every_page_stands_in_its_index(folder: str) -> None:
    index = set(LINK.findall((ROOT / folder / "README.md").read_text()))
    assert {page.name for page in (ROOT / folder).glob("*.md")} - {"README.md"} <= index


def test_the_figures_beside_the_jvms_worker_are_those_of_the_last_run() -> None:
    rows = json.loads((ROOT / "benchmarks" / "results" / "latest.json").read_text())
    readme = " ".join((ROOT / "README.md").read_text().split())
    for kind, text in (("source", "sources between {} and {} of the"), ("sink", "sinks between {} and {},")):
        ratios = [row["cpu_ratio"] for row in rows if row["case"].startswith(kind)]
        assert text.format(f"{min(ratios):.2f}", f"{max(ratios):.2f}") in readme
    at_work = [row["penstock_mb"] / row["jvm_mb"] for row in rows if row["case"].startswith(("source", "sink"))]
    assert max(at_work) <= 0.25, "README: at work a quarter of its memory or less"
