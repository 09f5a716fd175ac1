"""Fixtures that several tests on a real broker share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.examined import Place
from lab.worker_group import WorkerGroup


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Callable[..., WorkerGroup]]:
    groups: list[WorkerGroup] = []

    def make(bootstrap: str, name: str, *, authorization: str | None = None, **settings: str) -> WorkerGroup:
        folder = tmp_path / name
        folder.mkdir()
        settings = {key.replace("_", "."): value for key, value in settings.items()}
        made = WorkerGroup(bootstrap, folder, name, authorization=authorization, **settings)
        groups.append(made)
        made.start(0).wait_ready()
        made.until("the group is whole", lambda: made.settled(1))
        return made

    yield make
    for made in groups:
        for worker in made.workers.values():
            worker.kill()


@pytest.fixture
def place(tmp_path: Path, kafka: str, capsys: pytest.CaptureFixture[str]) -> Place:
    """The settings of a group of workers of this test's own, for the doctor."""
    return Place(tmp_path, kafka, capsys)
