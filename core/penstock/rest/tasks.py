"""``/connectors/{name}/tasks``."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from penstock.errors import NotFoundError
from penstock.rest import entities
from penstock.rest.context import Body, GetAction, HerderDep, Name, Task
from penstock.rest.errors import JsonResponse, Route

__all__ = ["router"]

router = APIRouter(route_class=Route)


@router.get("/connectors/{name}/tasks")
def list_tasks(name: Name, herder: HerderDep) -> Response:
    return JsonResponse([entities.task_info(t) for t in herder.task_configs(name)])


@router.get("/connectors/{name}/tasks/{task}")
def get_task(task: Task, herder: HerderDep) -> Response:
    for info in herder.task_configs(task.connector):
        if info.id == task:
            return JsonResponse(entities.task_info(info))
    raise NotFoundError(f"Task {task} not found")


@router.get("/connectors/{name}/tasks/{task}/status")
def get_task_status(task: Task, herder: HerderDep) -> Response:
    return JsonResponse(entities.task_state(herder.task_status(task)))


@router.put("/connectors/{name}/tasks/{task}/status")
def put_task_status(task: Task, body: Body, herder: HerderDep) -> Response:
    herder.put_task_target_state(task, entities.parse_task_state(body))
    return Response(status_code=202)


@router.post("/connectors/{name}/tasks/{task}/restart")
@router.get("/connectors/{name}/tasks/{task}/restart", dependencies=[GetAction])
def restart_task(task: Task, herder: HerderDep) -> Response:
    herder.restart_task(task)
    return Response(status_code=204)
