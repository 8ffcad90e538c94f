"""Writes a function of `style: chalice` as a project that the `chalice` command deploys, for one stage.

<folder>/app.py, chalicelib/           the app and the Blueprint, as generated
         vendor/                       the rest of the package: runtime, model, engine, hooks
         requirements.txt              empty: Chalice would resolve wheels again, with all they depend on
         .python-version               Chalice deploys for the Python that it runs on: it should be this one
         .chalice/config.json          memory, timeout, environment of each stage written so far
         .chalice/policy-<stage>.json  what the function may do; Chalice derives nothing from the source
         .chalice/merge-<stage>.json   for `chalice package --merge-template`

All of it is written anew at each call, but what Chalice itself keeps in ``.chalice/deployed``.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sls_ml.errors import UnsupportedError, UsageError
from sls_ml.intent.model import Deployment, Function, ReadModel, WriteLogs
from sls_ml.package.model import Package
from sls_ml.provider.aws import iam, names
from sls_ml.provider.aws.chalice_merge import merge_template
from sls_ml.provider.aws.cloudformation import ACCOUNT, PARTITION, REGION
from sls_ml.spec.model import Aws, Secret

DIRECT_UPLOAD: Final = 50 << 20
"""Bytes of a zip that Lambda takes in a request: Chalice knows no other way. Read on 2026-11-24 at
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""

_REQUIREMENTS = "# Written by sls-ml: vendor/ holds all wheels, pruned, for the platform of the function.\n"
_OF_CHALICE = ("app.py", "handler.py", "chalicelib/", "chalice/", "chalice-", "__pycache__/")
"""What of a package is not for vendor/: Chalice adds app.py, chalicelib/ and its own runtime by itself."""


def write_project(
    deployment: Deployment, function: Function, package: Package, *, source: Path, folder: Path
) -> None:
    """Write the project, or renew it.

    Args:
        deployment: Its stage is the stage of Chalice.
        function: A function of `style: chalice`.
        package: Its package.
        source: The function's generated folder.
        folder: Where to; new, empty, or written by an earlier call.

    Raises:
        UsageError: The folder is something else.
        UnsupportedError: Names all that Chalice cannot deploy.
    """
    _refuse(deployment, function, package)
    marker = folder / "requirements.txt"
    ours = marker.is_file() and marker.read_text("utf-8") == _REQUIREMENTS
    if not ours and folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty, and not a project that sls-ml wrote",
            code="chalice-folder-taken",
            mend="name a new folder; an app of your own takes chalicelib/model.py and vendor/ out of it",
        )
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text(_REQUIREMENTS, "utf-8")
    (folder / ".python-version").write_text(f"{package.python}\n", "utf-8")
    shutil.copyfile(source / "app.py", folder / "app.py")
    for part in ("chalicelib", "vendor"):
        shutil.rmtree(folder / part, ignore_errors=True)
    shutil.copytree(
        source / "chalicelib", folder / "chalicelib", ignore=shutil.ignore_patterns("__pycache__")
    )
    with zipfile.ZipFile(package.path) as packed:
        packed.extractall(folder / "vendor", [n for n in packed.namelist() if not n.startswith(_OF_CHALICE)])
    _write_settings(deployment, function, folder / ".chalice")


def _write_settings(deployment: Deployment, function: Function, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    stage = deployment.stage
    config = folder / "config.json"
    stages = json.loads(config.read_text("utf-8"))["stages"] if config.exists() else {}
    stages[stage] = stage_settings(deployment, function)
    contents = {
        config: {"version": "2.0", "app_name": _app_name(deployment, function), "stages": stages},
        folder / f"policy-{stage}.json": policy(deployment, function),
        folder / f"merge-{stage}.json": merge_template(
            deployment, function, _function_name(deployment, function)
        ),
    }
    for path, content in contents.items():
        path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")


def stage_settings(deployment: Deployment, function: Function) -> dict[str, Any]:
    """What ``.chalice/config.json`` says of one stage."""
    variables = {name: str(value) for name, value in function.environment.items()}
    variables |= {"ORT_DISABLE_TELEMETRY": "1", "SLS_ML_STAGE": deployment.stage}
    if deployment.store.startswith("s3://"):
        variables["SLS_ML_STORE"] = deployment.store.rstrip("/")
    settings: dict[str, Any] = {
        "api_gateway_endpoint_type": "REGIONAL",
        "api_gateway_stage": "api",
        "autogen_policy": False,
        "environment_variables": variables,
        "iam_policy_file": f"policy-{deployment.stage}.json",
        "lambda_architecture": function.architecture,
        "lambda_memory_size": function.memory,
        "lambda_timeout": function.timeout,
    }
    if function.concurrency.reserved is not None:
        settings["reserved_concurrency"] = function.concurrency.reserved
    return settings


def policy(deployment: Deployment, function: Function) -> dict[str, Any]:
    """The policy of the function's role, as plain IAM: Chalice fills no holes.

    The account is a wildcard where an ARN has one, since nobody knows it yet; the log group is the function's
    alone, and created by Lambda with the first line, which under sls-ml the stack does.
    """
    scope = iam.Scope(
        log_group=names.log_group_name(_function_name(deployment, function)),
        store=deployment.store.removeprefix("s3://").rstrip("/"),
        queue="",
    )
    statements = []
    for grant in dict.fromkeys(function.grants):
        if isinstance(grant, ReadModel) and not deployment.store.startswith("s3://"):
            continue  # the model rides in the package
        statement = iam.statement(grant, scope)
        if isinstance(grant, WriteLogs):
            statement = replace(statement, actions=(*statement.actions, "logs:CreateLogGroup"))
        statements.append(
            replace(statement, resource=_filled(statement.resource, deployment.region)).document()
        )
    return {"Version": iam.POLICY_VERSION, "Statement": statements}


def only_merged(deployment: Deployment) -> Iterator[str]:
    """What of the spec is in the template that is merged, and unknown to `chalice deploy`."""
    yield "versions behind an alias, log retention, alarms, dashboard"
    if deployment.rollout.canary is not None:
        yield "rollout.canary"


def _refuse(deployment: Deployment, function: Function, package: Package) -> None:
    problems = list(_problems(deployment, function, package))
    if problems:
        raise UnsupportedError(
            f"Chalice cannot deploy the function {function.name}: " + "; ".join(problems),
            code="chalice-unsupported",
            where=f"functions.{function.name}",
            mend="deploy it with sls-ml deploy, which has these, or leave them out",
        )


def _problems(deployment: Deployment, function: Function, package: Package) -> Iterator[str]:
    if function.start != "plain":
        yield f"it has no start: {function.start}"
    if function.http is not None and function.http.auth not in {"iam", "public"}:
        yield f"the Blueprint has no http.auth: {function.http.auth}"
    if function.http is not None and function.http.throttle is not None:
        yield "it has no http.throttle"
    if function.http is not None and function.http.domain is not None:
        yield "it has no http.domain"
    if package.bytes > DIRECT_UPLOAD:
        yield f"it uploads {DIRECT_UPLOAD >> 20} MB at most, and the package has {package.bytes >> 20} MB"
    if not all(model.bundled for model in function.models) and not deployment.store.startswith("s3://"):
        yield "a model that is fetched at start needs a store that the spec names: store: s3://bucket/prefix"
    if deployment.aws != Aws():
        yield "aws.vpc, aws.kms and aws.permissions_boundary are not for its roles"
    if any(isinstance(value, Secret) for value in function.environment.values()):
        yield "it has no secrets in the environment: its command imports the app and may not read them"
    name = _function_name(deployment, function)
    if len(name) > names.FUNCTION_NAME_LENGTH:
        yield f"the name {name} is longer than {names.FUNCTION_NAME_LENGTH} characters"


def _app_name(deployment: Deployment, function: Function) -> str:
    return f"{deployment.project}-{function.name}"


def _function_name(deployment: Deployment, function: Function) -> str:
    """What `chalice deploy` names the function."""
    return f"{_app_name(deployment, function)}-{deployment.stage}"


def _filled(resource: Any, region: str) -> Any:
    """An ARN with its CloudFormation holes filled."""
    if not isinstance(resource, dict):
        return resource
    partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")
    text: str = resource["Fn::Sub"]
    return text.replace(PARTITION, partition).replace(REGION, region).replace(ACCOUNT, "*")
