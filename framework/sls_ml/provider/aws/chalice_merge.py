"""What `chalice package --merge-template` adds to a function: all of ours that SAM can say.

Chalice merges deep, and what is here wins. It writes the function as ``APIHandler``, with the routes of the
REST API that call it in an OpenAPI document; SAM makes an alias of ``AutoPublishAlias``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sls_ml.intent.model import Deployment, Function
from sls_ml.provider.aws import alarms, dashboard, names, rollout
from sls_ml.provider.aws.cloudformation import ref, resource, sub

HANDLER: Final = "APIHandler"
LOGS: Final = "APIHandlerLogGroup"
ALIAS: Final = f"{HANDLER}Alias{names.ALIAS}"
"""The id that SAM's page on generated resources promises for the alias of ``AutoPublishAlias``."""

DEPTH: Final = "abcdef"
"""Names of the parts of the longest path of the Blueprint, see templates/chalice_model.py."""


def merge_template(deployment: Deployment, function: Function, name: str) -> dict[str, Any]:
    """The template to merge: name, log group, alias, canary, alarms and a dashboard.

    Chalice 1.34 writes a log group by itself where ``log_retention_in_days`` is set, with a reference to a
    resource that it has renamed; CloudFormation refuses that template. So this one has it.

    Args:
        deployment: Its stage is the stage of Chalice.
        function: A function of `style: chalice`.
        name: What `chalice deploy` names the function; the policy relies on it.
    """
    log_group = {"LogGroupName": names.log_group_name(name), "RetentionInDays": function.log_retention}
    handler: dict[str, Any] = {
        "AutoPublishAlias": names.ALIAS,
        "AutoPublishAliasAllProperties": True,
        "FunctionName": name,
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": ref(LOGS)},
    }
    resources: dict[str, Any] = {
        LOGS: resource("AWS::Logs::LogGroup", log_group),
        "RestAPI": {"Properties": {"DefinitionBody": {"paths": _routes(function)}}},
        f"{HANDLER}AliasInvokePermission": resource(
            "AWS::Lambda::Permission",
            {
                "Action": "lambda:InvokeFunction",
                "FunctionName": ref(ALIAS),
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": sub(
                    "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${RestAPI}/*"
                ),
            },
        ),
        **_watching(deployment, function, name),
    }
    if (canary := deployment.rollout.canary) is not None:
        watched = [ref(alarms.logical_id(function.name, alarm)) for alarm in function.alarms if alarm.release]
        handler["DeploymentPreference"] = {"Alarms": watched, "Type": rollout.steps(canary)}
        resources |= dict(rollout.own_steps(canary))
    return {"Resources": {HANDLER: {"Properties": handler}, **resources}}


def _routes(function: Function) -> dict[str, Any]:
    """The routes of the Blueprint, which call the alias and not the newest code."""
    uri = sub(
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        f"${{{ALIAS}}}/invocations"
    )
    methods = ["get", "head", "post"]
    if function.http is not None and function.http.cors:
        methods.append("options")
    paths = ["/" + "/".join(f"{{{part}}}" for part in DEPTH[:length]) for length in range(len(DEPTH) + 1)]
    return {
        path: {method: {"x-amazon-apigateway-integration": {"uri": uri}} for method in methods}
        for path in paths
    }


def _watching(deployment: Deployment, function: Function, name: str) -> Mapping[str, Any]:
    """The alarms and the dashboard of the function alone, under the name that it has here."""
    alone = replace(deployment, functions=(function,), drift=None)
    found = dict(alarms.resources(alone, function)) | dict(dashboard.resources(alone))
    stack = names.stack_name(deployment.project, deployment.stage)
    text = json.dumps(found).replace(names.function_name(stack, function.name), name)
    renamed: dict[str, Any] = json.loads(text)
    renamed[dashboard.DASHBOARD]["Properties"]["DashboardName"] = f"{name}-{deployment.region}"
    if deployment.notify:
        renamed |= dict(alarms.topic(deployment.notify, name))
    return renamed
