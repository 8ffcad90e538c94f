"""What `deploy` says at its end: where each function is reached, and a line to paste for it."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Any

from sls_ml import deploy as story
from sls_ml.cli.console import Output
from sls_ml.cli.options import here, there
from sls_ml.deploy import Plan
from sls_ml.intent.model import Function
from sls_ml.provider.base import Deployer, StackOutputs
from sls_ml.spec import LOCAL_STAGE, Project
from sls_ml.spec.model import Http

_LONG_BODY = 200
"""A request with more characters goes into a file, so that the line to paste can be read."""


def document(planned: Plan, outputs: StackOutputs, deployer: Deployer) -> dict[str, Any]:
    """What is deployed and where, as one JSON document."""
    prepared = planned.prepared
    spec = prepared.project
    functions = {}
    for function in prepared.deployment.functions:
        built, found = planned.packages[function.name], outputs.functions[function.name]
        functions[function.name] = {
            "endpoint": found.endpoint,
            "input": found.input,
            "output": found.output,
            "package": str(built.path),
            "package_bytes": built.bytes,
            "engine": function.models[0].engine,
            "python": built.python,
        }
    artifacts = {
        name: {
            "address": story.address(prepared, model, deployer),
            "digest": model.digest,
            "bytes": model.bytes,
        }
        for name, model in prepared.models.items()
    }
    return {
        "stage": spec.stage,
        "provider": spec.provider,
        "changed": not planned.changes.empty,
        "functions": functions,
        "artifacts": artifacts,
        "not_emulated": [
            {"resource": resource, "type": kind} for resource, kind in story.not_emulated(planned)
        ],
    }


def show(output: Output, planned: Plan, outputs: StackOutputs) -> None:
    """What is deployed and where, then a line to paste for every function."""
    spec = planned.prepared.project
    for resource, kind in story.not_emulated(planned):
        output.warn(f"not emulated: {resource} ({kind})")
    done = "nothing has changed" if planned.changes.empty else f"deployed {spec.project} to {spec.stage}"
    output.say(f"{done}\n", style="bold")
    functions = planned.prepared.deployment.functions
    reached: list[tuple[str, str, str]] = []
    asked: list[str] = []
    options = there(spec)
    for function in functions:
        found = outputs.functions[function.name]
        if found.endpoint:
            reached.append((function.name, "POST", f"{found.endpoint.rstrip('/')}{_path(function)}"))
            model = "" if len(function.models) == 1 else f" --model {function.models[0].name}"
            asked.append(f"sls-ml invoke {function.name} --sample 1{model}{options}")
        if found.input:
            reached.append((function.name, "in", found.input))
            reached.append(("", "out", found.output or ""))
            asked.append(f"sls-ml score {function.name} FILE{options}")
    output.table(("", "", ""), reached)
    output.say("\ntry it", style="bold")
    for line in asked:
        output.say(line)
    for function in functions:
        if endpoint := outputs.functions[function.name].endpoint:
            for line in _request_lines(spec, function, endpoint):
                output.say(line)


_BROUGHT = {"jwt": '"authorization: Bearer $TOKEN"', "key": '"x-api-key: $API_KEY"'}
"""The header that a caller sends, by ``http.auth``."""


def _path(function: Function) -> str:
    return "/predict" if len(function.models) == 1 else f"/models/{function.models[0].name}/predict"


def _request_lines(spec: Project, function: Function, endpoint: str) -> list[str]:
    """What to paste into a shell to ask an endpoint with the first example row."""
    http = function.http or Http()
    example = list(function.models[0].manifest["example"][:1])
    body = jsonlib.dumps({"rows": example}, separators=(",", ":"))
    if len(body) > _LONG_BODY:
        file = spec.work_folder / f"ask-{function.name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(body + "\n", encoding="utf-8")
        body = f"@{file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}"
    line = story.operate(spec).request_line(endpoint, _path(function), body, http)
    brought = _BROUGHT.get(http.auth)
    lines = [f"{line} -H {brought}" if brought else line]
    if http.auth == "iam" and spec.stage == LOCAL_STAGE:
        lines.insert(0, f'eval "$(sls-ml local env{here(spec)})"')
    return ["", *lines]
