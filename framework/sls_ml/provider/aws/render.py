"""A Deployment and its packages become one plain CloudFormation template."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sls_ml.errors import UnsupportedError
from sls_ml.intent.model import Deployment, Function
from sls_ml.package.model import Package
from sls_ml.provider.aws import (
    alarms,
    batch,
    cloudformation,
    dashboard,
    drift_watch,
    endpoint,
    gateway,
    iam,
    names,
    rollout,
    scaling,
    schedules,
)
from sls_ml.provider.aws.cloudformation import ACCOUNT, REGION, Resource, Value, attribute, ref, resource, sub
from sls_ml.provider.aws.limits import LIMITS
from sls_ml.provider.base import Rendered
from sls_ml.spec.model import Aws, Follow, Secret

HANDLER = "handler.handler"
LEAST_DISK = 512
"""MB of /tmp that every function has without asking."""

_ENVIRONMENT_BYTES = LIMITS["environment_bytes"].value - 512
"""What is left of the limit beside our own variables."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9!_.'()/=+@:,& -]*")
"""Prefixes that mean the same in a key, an IAM resource, an event pattern and a template."""


def render(deployment: Deployment, packages: Mapping[str, Package]) -> Rendered:
    """Describe a deployment to CloudFormation.

    Args:
        deployment: What must exist.
        packages: The package of each function, by the function's name.

    Raises:
        UnsupportedError: The deployment asks for something that AWS, or this version, cannot do.
    """
    stack = names.stack_name(deployment.project, deployment.stage)
    store = _store(deployment.store)
    resources: dict[str, Resource] = {}
    outputs: dict[str, Any] = {}
    if any(_own_bucket(function) for function in deployment.functions):
        resources |= batch.data_bucket(deployment.aws.kms)
        outputs[names.DATA_BUCKET] = _output("Bucket for batch input and output", ref(names.DATA_BUCKET))
    canary = deployment.rollout.canary
    if canary is not None:
        resources |= dict(rollout.shared(canary, stack))
    if deployment.notify:
        resources |= dict(alarms.topic(deployment.notify, stack))
    for function in deployment.functions:
        _refuse(function, packages[function.name])
        if function.http and gateway.needed(function.http):
            gateway.refuse(deployment, function)
        resources |= dict(_resources(deployment, function, packages[function.name], stack, store))
        outputs |= dict(_outputs(deployment, function))
    if deployment.drift:
        resources |= dict(drift_watch.resources(deployment, deployment.drift, store))
    resources |= dict(dashboard.resources(deployment))
    outputs[names.FUNCTIONS_OUTPUT] = _output(
        "Names of the functions in the spec", ",".join(function.name for function in deployment.functions)
    )
    text = cloudformation.text(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": f"sls-ml: {deployment.project}, stage {deployment.stage}",
            "Metadata": {"sls-ml:project": deployment.project, "sls-ml:stage": deployment.stage},
            "Outputs": outputs,
            "Resources": resources,
        }
    )
    return with_digest(
        stack, text, {names.package_key(package.sha256): package.path for package in packages.values()}
    )


def with_digest(stack: str, template: str, uploads: Mapping[str, Path] | None = None) -> Rendered:
    """A template with its digest. It takes no parameters: account, region and partition fill its holes."""
    return Rendered(
        stack=stack,
        template=template,
        parameters={},
        digest=names.short_hash({"template": template, "parameters": {}}, 64),
        uploads=dict(uploads or {}),
    )


def _own_bucket(function: Function) -> bool:
    return function.batch is not None and None in {function.batch.source.bucket, function.batch.target.bucket}


def _store(store: str) -> str:
    """The store as ``bucket[/prefix]``, perhaps with holes for the account and the region."""
    if store == "auto":
        return names.store_bucket(ACCOUNT, REGION)
    if store.startswith("s3://"):
        return store.removeprefix("s3://").rstrip("/")
    raise UnsupportedError(
        f"a function on aws cannot read the store {store}",
        code="store-unsupported",
        where="store",
        mend="use store: auto, or s3://bucket/prefix",
    )


def _refuse(function: Function, package: Package) -> None:
    where = f"functions.{function.name}"
    if package.kind != "zip":
        raise UnsupportedError(
            "image packages are not supported yet",
            code="image-unsupported",
            where=where,
            mend="write package: zip, or leave the key out",
        )
    if function.timeout > LIMITS["timeout_seconds"].value:
        raise UnsupportedError(
            f"a function on aws runs for {LIMITS['timeout_seconds'].value} s at most",
            code="timeout-too-long",
            where=f"{where}.timeout",
            why=LIMITS["timeout_seconds"].page,
            mend="give a shorter timeout",
        )
    if _disk(function) > LIMITS["disk_mb"].value:
        raise UnsupportedError(
            f"the models need {_disk(function)} MB of /tmp, and Lambda has {LIMITS['disk_mb'].value} MB",
            code="models-too-large",
            where=where,
            why=LIMITS["disk_mb"].page,
            mend="give some of the models a function of their own",
        )
    own = _own_environment(function)
    if sum(len(text.encode()) for pair in own.items() for text in pair) > _ENVIRONMENT_BYTES:
        raise UnsupportedError(
            f"a function on aws has {_ENVIRONMENT_BYTES} bytes for its own environment variables",
            code="environment-too-large",
            where=f"{where}.environment",
            why=LIMITS["environment_bytes"].page,
            mend="keep large values in a file beside hooks.py, or in a bucket",
        )
    if function.start == "snapstart" and (function.python == "3.11" or _disk(function) > LEAST_DISK):
        raise UnsupportedError(
            "SnapStart needs Python 3.12 or later and models that fit in 512 MB of /tmp",
            code="snapstart-unsupported",
            where=f"{where}.start",
            why="https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html",
            mend="use start: auto, or provisioned",
        )
    _refuse_places(function, where)


def _refuse_places(function: Function, where: str) -> None:
    if function.batch:
        for place in (function.batch.source, function.batch.target):
            if not _PLAIN_KEY.fullmatch(place.prefix):
                raise UnsupportedError(
                    f"the prefix {place.prefix!r} has a character with a meaning of its own in IAM",
                    code="prefix-unsupported",
                    where=f"{where}.objects",
                    mend="use letters, digits and / _ - . =",
                )


def _resources(
    deployment: Deployment, function: Function, package: Package, stack: str, store: str
) -> Iterator[tuple[str, Resource]]:
    name = names.function_name(stack, function.name)
    log_group = names.logical_id(function.name, "LogGroup")
    role = names.logical_id(function.name, "Role")
    aws = deployment.aws
    scope = iam.Scope(
        log_group=names.log_group_name(name), store=store, queue=names.logical_id(function.name, "Queue")
    )
    yield (
        log_group,
        resource(
            "AWS::Logs::LogGroup",
            {
                "LogGroupName": scope.log_group,
                "RetentionInDays": function.log_retention,
                **({"KmsKeyId": aws.kms} if aws.kms else {}),
            },
            function=function.name,
        ),
    )
    yield (
        role,
        iam.role(
            names.role_name(stack, function.name, deployment.region),
            "lambda.amazonaws.com",
            iam.role_policy(function.grants, scope, _surroundings(aws, name, function)),
            boundary=aws.permissions_boundary,
            function=function.name,
        ),
    )
    versioned: dict[str, Any] = {
        "Architectures": [function.architecture],
        "Code": {
            "S3Bucket": sub(names.package_bucket(ACCOUNT, REGION)),
            "S3Key": names.package_key(package.sha256),
        },
        "Environment": {"Variables": _environment(deployment, function, store)},
        "EphemeralStorage": {"Size": _disk(function)},
        "FunctionName": name,
        "Handler": HANDLER,
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": ref(log_group)},
        "MemorySize": function.memory,
        "Role": attribute(role, "Arn"),
        "Runtime": f"python{function.python}",
        "Timeout": function.timeout,
    }
    if function.start == "snapstart":
        versioned["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    if aws.kms:
        versioned["KmsKeyArn"] = aws.kms
    if aws.vpc:
        versioned["VpcConfig"] = {
            "SecurityGroupIds": list(aws.vpc.security_groups),
            "SubnetIds": list(aws.vpc.subnets),
        }
    yield from _release(deployment, function, package, versioned)
    yield from scaling.resources(function, name)
    if function.http and gateway.needed(function.http):
        yield from gateway.resources(deployment, function, function.http)
    elif function.http:
        yield from endpoint.resources(function, function.http, stack, deployment.region)
    if function.batch:
        yield from batch.resources(function, function.batch, aws.kms)
        if function.batch.schedule is not None:
            yield from schedules.pending(deployment, function, function.batch.schedule)
    yield from alarms.resources(deployment, function)


def _surroundings(aws: Aws, name: str, function: Function) -> Iterator[iam.Statement]:
    """What a role needs besides its grants, because the account asks for a key or a network."""
    if aws.kms:
        yield iam.use_key(aws.kms, writes=function.batch is not None)
    if aws.vpc:
        yield from iam.use_network(name)


def _release(
    deployment: Deployment, function: Function, package: Package, versioned: Mapping[str, Any]
) -> Iterator[tuple[str, Resource]]:
    """The function, the version that this deployment publishes, and the alias that sends traffic to it.

    A version is a resource of its own per content: its id holds a hash of the package and of everything
    that Lambda freezes into a version, so that a change, and only a change, publishes.
    """
    function_id = names.logical_id(function.name, "Function")
    release = names.short_hash([package.sha256, versioned])
    version_id = names.logical_id(function.name, f"Version{release}")
    properties = dict(versioned)
    if function.concurrency.reserved is not None:
        properties["ReservedConcurrentExecutions"] = function.concurrency.reserved
    body = resource("AWS::Lambda::Function", properties, function=function.name)
    if function.follow is not None:
        body["Metadata"] |= {cloudformation.FOLLOW_METADATA: _followed(function, function.follow)}
    yield function_id, body
    yield (
        version_id,
        resource(
            "AWS::Lambda::Version",
            {
                "CodeSha256": base64.b64encode(bytes.fromhex(package.sha256)).decode(),
                "Description": version_id,
                "FunctionName": ref(function_id),
            },
            function=function.name,
            keep=True,
        ),
    )
    alias: dict[str, Any] = {
        "FunctionName": ref(function_id),
        "FunctionVersion": attribute(version_id, "Version"),
        "Name": names.ALIAS,
    }
    if function.start == "provisioned" and function.concurrency.provisioned:
        alias["ProvisionedConcurrencyConfig"] = {
            "ProvisionedConcurrentExecutions": function.concurrency.provisioned
        }
    alias_id, canary = names.logical_id(function.name, "Alias"), deployment.rollout.canary
    if canary is None:
        yield alias_id, resource("AWS::Lambda::Alias", alias, function=function.name)
    else:
        yield alias_id, rollout.shifted_alias(function, alias)
        yield from rollout.resources(deployment, function, canary, version_id)


def _followed(function: Function, follow: Follow) -> dict[str, Any]:
    """What a promotion must know of a deployed function: its alias, and what is in its package."""
    models = {model.name: {"digest": model.digest, "engine": model.engine} for model in function.models}
    return {"alias": follow.alias, "models": models, "seconds": follow.seconds}


def _disk(function: Function) -> int:
    """MB of /tmp: the models that are fetched at start, and a margin beside them."""
    fetched = sum(sum(model.files.values()) for model in function.models if not model.bundled)
    if function.follow is not None:  # what an alias points to comes beside it, and may be larger
        fetched = 3 * sum(sum(model.files.values()) for model in function.models)
    return max(LEAST_DISK, -(-fetched // (1 << 20)) + 64)


def _environment(deployment: Deployment, function: Function, store: str) -> dict[str, Value]:
    """Environment variables: the user's, and over them our own."""
    variables: dict[str, Value] = {
        **_own_environment(function),
        "ORT_DISABLE_TELEMETRY": "1",
        names.MODELS: " ".join(f"{model.name}:{model.digest[:12]}" for model in function.models),
        "SLS_ML_STAGE": deployment.stage,
        "SLS_ML_STORE": sub(f"s3://{store}"),
    }
    if function.batch:
        variables["SLS_ML_TO"] = batch.uri(function.batch.target)
        if function.batch.schedule is not None:
            variables["SLS_ML_FROM"] = batch.uri(function.batch.source)
    return variables


def _own_environment(function: Function) -> dict[str, str]:
    """The user's variables; a secret is named, not revealed."""
    return {
        name: f"secret://{value.secret}" if isinstance(value, Secret) else value
        for name, value in function.environment.items()
    }


def _outputs(deployment: Deployment, function: Function) -> Iterator[tuple[str, dict[str, Any]]]:
    def output(suffix: str, what: str, value: Value) -> tuple[str, dict[str, Any]]:
        return names.logical_id(function.name, suffix), _output(f"{what} {function.name}", value)

    yield output("Function", "Name on AWS of", ref(names.logical_id(function.name, "Function")))
    if function.http:
        url: Value = attribute(names.logical_id(function.name, "Url"), "FunctionUrl")
        if gateway.needed(function.http):
            url = gateway.url(deployment, function, function.http)
        yield output("Endpoint", "URL of", url)
        if function.http.domain is not None:
            yield output("DomainTarget", "What the domain points to of", gateway.domain_target(function))
        if function.http.auth == "key":
            secret = ref(names.logical_id(function.name, "ApiKey"))
            yield output("ApiKey", "Secret with the key for callers of", secret)
        if function.http.auth == "iam":
            policy = names.logical_id(function.name, "InvokePolicy")
            yield output("InvokePolicy", "Policy for callers of", ref(policy))
    if function.batch:
        yield output("Input", "Objects to score by", batch.uri(function.batch.source))
        yield output("Output", "Results of", batch.uri(function.batch.target))
        yield output("Queue", "Object events for", ref(names.logical_id(function.name, "Queue")))
        dead = names.logical_id(function.name, "DeadLetters")
        yield output("DeadLetters", "Object events that failed in", ref(dead))


def _output(description: str, value: Value) -> dict[str, Any]:
    return {"Description": description, "Value": value}
