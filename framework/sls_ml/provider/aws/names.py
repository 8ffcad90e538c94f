"""Every name that a deployment has on AWS, stable from one deploy to the next."""

from __future__ import annotations

import hashlib
import json
from typing import Any

FUNCTION_NAME_LENGTH = 64
ROLE_NAME_LENGTH = 64
POLICY_NAME_LENGTH = 128
STACK_NAME_LENGTH = 128
ALARM_NAME_LENGTH = 255
DASHBOARD_NAME_LENGTH = 255
ROLLOUT_NAME_LENGTH = 100

ALIAS = "live"
"""The alias that carries the traffic: URLs and queues hang on it from the first release."""

MODELS = "SLS_ML_MODELS"
"""The environment variable that notes models and digests of a version, for lists of releases."""

ISSUER_STACKS = {"github": "sls-ml-github", "gitlab": "sls-ml-gitlab"}
"""Stacks with a CI system as an identity provider, by the system."""

_CI = "sls-ml-ci--"

DATA_BUCKET = "DataBucket"
"""Logical id of the stack's own bucket for the input and output of batch functions."""

DATA_BUCKET_POLICY = "DataBucketPolicy"

OUTPUT_SUFFIXES = (
    "Function",
    "Endpoint",
    "InvokePolicy",
    "ApiKey",
    "Input",
    "Output",
    "Queue",
    "DeadLetters",
)
"""What a function's outputs end with."""

FUNCTIONS_OUTPUT = "Functions"
"""The output that lists the functions' names in the spec, separated by commas."""


def short_hash(value: Any, length: int = 10) -> str:
    """Hex digits that change if and only if `value` (JSON) changes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def fitted(name: str, length: int) -> str:
    """The name itself where it fits, else its beginning and a hash of the whole."""
    if len(name) <= length:
        return name
    return f"{name[: length - 9].rstrip('-')}-{short_hash(name, 8)}"


def stack_name(project: str, stage: str) -> str:
    """Name of the stack that holds one stage of a project."""
    return fitted(f"sls-ml-{project}-{stage}", STACK_NAME_LENGTH)


def ci_stack_name(project: str, stage: str) -> str:
    """Name of the stack with the CI roles of one stage; no project has two hyphens in its name."""
    return fitted(f"{_CI}{project}-{stage}", STACK_NAME_LENGTH)


def own_issuer_stack(system: str, host: str) -> str:
    """Name of the stack with a CI system of one's own as an identity provider."""
    return fitted(f"{ISSUER_STACKS[system]}--{host.replace('.', '-')}", STACK_NAME_LENGTH)


def lets_ci_in(stack: str) -> bool:
    """Whether a stack holds what lets CI in: the roles of a stage, or an identity provider."""
    issuers = ISSUER_STACKS.values()
    return stack in issuers or stack.startswith((_CI, *(f"{issuer}--" for issuer in issuers)))


def function_name(stack: str, function: str) -> str:
    """Name of a function, which is also the end of its log group's name."""
    return fitted(f"{stack}-{function}", FUNCTION_NAME_LENGTH)


def role_name(stack: str, function: str, region: str) -> str:
    """Name of a function's role; roles are global, so it names the region too."""
    return fitted(f"{stack}-{function}-{region}", ROLE_NAME_LENGTH)


def invoke_policy_name(stack: str, function: str, region: str) -> str:
    """Name of the managed policy that lets its holders call a function's endpoint."""
    return fitted(f"{stack}-{function}-invoke-{region}", POLICY_NAME_LENGTH)


def metrics_namespace(project: str, stage: str) -> str:
    """Where the functions of one stage count what they do, as sls_ml_runtime/metrics.py writes it."""
    return f"sls-ml/{project}/{stage}"


def alarm_name(stack: str, function: str, signal: str) -> str:
    """Name of a function's alarm about one signal."""
    return fitted(f"{stack}-{function}-{signal}", ALARM_NAME_LENGTH)


def dashboard_name(stack: str, region: str) -> str:
    """Name of a stack's dashboard; dashboards are global, so it names the region too."""
    return fitted(f"{stack}-{region}", DASHBOARD_NAME_LENGTH)


def log_group_name(function: str) -> str:
    """Name of the log group of a function, from the function's name on AWS."""
    return f"/aws/lambda/{function}"


def drift_name(stack: str) -> str:
    """Name of the function that watches for drift; no function of a spec begins with a hyphen."""
    return function_name(stack, "-drift")


def rollout_name(stack: str) -> str:
    """Name of the application that CodeDeploy shifts traffic for."""
    return fitted(stack, ROLLOUT_NAME_LENGTH)


def part_role_name(stack: str, function: str, part: str, region: str) -> str:
    """Name of the role of what stands beside a function; no function has two hyphens in its name."""
    return role_name(stack, f"{function}--{part}", region)


def logical_id(function: str, suffix: str = "") -> str:
    """The id of one of a function's resources or outputs in the template.

    ``fraud-check`` and ``Queue`` make ``FraudCheckQueue``. CloudFormation replaces a resource whose id
    changes, so ids depend on the function's name and on nothing else. A hash is added only where two
    names would meet otherwise: a digit has no capital, so ``a-1`` and ``a1`` both read ``A1``.
    """
    words = function.split("-")
    joined = "".join(word.capitalize() for word in words)
    if any(word[0].isdigit() for word in words):
        joined += short_hash(function, 6)
    return joined + suffix


def store_bucket(account: str, region: str) -> str:
    """The bootstrap bucket that holds artifacts."""
    return f"sls-ml-store-{account}-{region}"


def package_bucket(account: str, region: str) -> str:
    """The bootstrap bucket that holds packages and the templates of past releases."""
    return f"sls-ml-packages-{account}-{region}"


def package_key(sha256: str) -> str:
    """Where a package lies in the package bucket."""
    return f"packages/{sha256}.zip"


def template_folder(stack: str) -> str:
    """Where the templates of a stack lie in the package bucket: one per deploy that went well."""
    return f"templates/{stack}/"


def template_key(stack: str, digest: str) -> str:
    """Where one template of a stack lies."""
    return f"{template_folder(stack)}{digest}.json"
