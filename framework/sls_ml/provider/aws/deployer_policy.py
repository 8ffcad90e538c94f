"""The least policy with which a stack is planned, deployed, rolled back and destroyed.

CloudFormation acts with the rights of whoever calls it, so the policy holds two kinds of permissions: those
of our own calls, and those of the handlers that carry out the template's resources. What handlers need is
known from CloudFormation's resource schemas (``data/permissions/handlers.json``); ``rules.toml`` beside it
says which of that our templates give cause for, upon which resources, and why.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any

from sls_ml.provider.aws import bootstrap, iam, names
from sls_ml.provider.aws.cloudformation import ACCOUNT, PARTITION, REGION
from sls_ml.provider.aws.iam import Statement
from sls_ml.provider.aws.role_policies import flat
from sls_ml.provider.base import Rendered

POLICY_CHARACTERS = 6144
"""What a managed policy holds, white space not counted."""

_DATA = files("sls_ml.provider.aws") / "data" / "permissions"

_MADE_UP = 13
"""Characters that CloudFormation ends a name of its own making with."""

_KEPT_PREFIX = 20
"""Characters of a stack's name that are left where CloudFormation shortens a name of its own making."""

_NAMED: Mapping[str, tuple[str, str, int]] = {
    "alarms": ("AWS::CloudWatch::Alarm", "AlarmName", 255),
    "applications": ("AWS::CodeDeploy::Application", "ApplicationName", 100),
    "buckets": ("AWS::S3::Bucket", "BucketName", 63),
    "dashboards": ("AWS::CloudWatch::Dashboard", "DashboardName", 255),
    "functions": ("AWS::Lambda::Function", "FunctionName", 64),
    "groups": ("AWS::Logs::LogGroup", "LogGroupName", 512),
    "policies": ("AWS::IAM::ManagedPolicy", "ManagedPolicyName", 128),
    "queues": ("AWS::SQS::Queue", "QueueName", 80),
    "roles": ("AWS::IAM::Role", "RoleName", 64),
    "rules": ("AWS::Events::Rule", "Name", 64),
    "schedules": ("AWS::Scheduler::Schedule", "Name", 64),
    "topics": ("AWS::SNS::Topic", "TopicName", 256),
}
"""By variable of the rules: the type, the property with its name, and the longest name."""

_HOLE = re.compile(r"\{(\w+)\}")

_WITH_PARTS = {"functions", "groups"}
"""Names that further parts follow after a colon: versions and aliases, streams."""

_PLANNING = frozenset(
    {
        "cloudformation.create_change_set",
        "cloudformation.delete_change_set",
        "cloudformation.describe_change_set",
        "cloudformation.describe_stacks",
        "cloudformation.get_template",
        "cloudformation.list_change_sets",
        "s3.get_bucket_notification_configuration",
        "s3.put_object",
        "secrets.describe_secret",
    }
)
"""The calls of a plan: a change set is made, read and deleted, and never executed."""

Variables = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Document:
    """One managed policy of whoever deploys."""

    name: str
    statements: tuple[Statement, ...]

    @property
    def policy(self) -> dict[str, Any]:
        """The document as IAM reads it."""
        return iam.policy(self.statements)

    @property
    def characters(self) -> int:
        """Its size as IAM counts."""
        return _size(self.statements)


def deploy(
    template: Mapping[str, Any], *, stack: str, region: str, account: str | None = None
) -> tuple[Document, ...]:
    """The policy for one stage; several documents where one would be too large for IAM.

    Args:
        template: The rendered template, parsed.
        stack: Name of the stack.
        region: The region it is deployed to.
        account: Twelve digits; None for a policy that fits any account.
    """
    modules = ("client", "stacks", "deployer", "operations", "aliases", "drift")
    wanted = [*_call_permissions(modules), *_handler_permissions(template)]
    return _documents(f"{stack}-deploy", _statements(wanted, template, stack, region, account))


def plan(
    template: Mapping[str, Any], *, stack: str, region: str, account: str | None = None
) -> tuple[Document, ...]:
    """The policy of whoever only plans a stage that is deployed: it previews, and carries nothing out.

    Args:
        template: The rendered template, parsed.
        stack: Name of the stack.
        region: The region it is deployed to.
        account: Twelve digits; None for a policy that fits any account.
    """
    wanted = _call_permissions(("client", "stacks", "operations"), only=_PLANNING)
    return _documents(f"{stack}-plan", _statements(wanted, template, stack, region, account))


def set_up(*, region: str, account: str | None = None) -> tuple[Document, ...]:
    """The policy for `sls-ml bootstrap`, which runs once in an account and region."""
    return of_stack(bootstrap.bootstrap(), bootstrap.STACK, region=region, account=account)


def of_stack(
    rendered: Rendered, name: str, *, region: str, account: str | None = None
) -> tuple[Document, ...]:
    """The policy for making and changing one stack that brings no packages.

    Args:
        rendered: The stack.
        name: Name of the policy.
        region: The region that it is made in.
        account: Twelve digits; None for a policy that fits any account.
    """
    template = json.loads(rendered.template)
    wanted = [*_call_permissions(("client", "stacks")), *_handler_permissions(template)]
    return _documents(name, _statements(wanted, template, rendered.stack, region, account))


def partition(region: str) -> str:
    """The part of AWS that a region belongs to, as ARNs name it."""
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((name for prefix, name in prefixes.items() if region.startswith(prefix)), "aws")


def _statements(
    permissions: Iterable[tuple[str, str]],
    template: Mapping[str, Any],
    stack: str,
    region: str,
    account: str | None,
) -> Iterator[Statement]:
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for scope, action in permissions:
        wanted[scope].add(action)
    variables = _variables(template, stack, region, account)
    for scope, rule in _rules()["scope"].items():
        resources = [arn for text in rule["resources"] for arn in _filled(text, variables)]
        if not wanted[scope] or not resources:
            continue
        yield Statement(
            sid=names.logical_id(scope),
            actions=tuple(sorted(wanted[scope])),
            resource=resources[0] if len(resources) == 1 else list(resources),
            reason=rule["reason"],
            condition=_condition(rule.get("condition", {}), variables),
        )


def _call_permissions(
    modules: tuple[str, ...], only: frozenset[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Scope and action of all that our own calls need, or only some of them."""
    for module in modules:
        for call, scopes in _rules()["calls"][module].items():
            if only is not None and call not in only:
                continue
            for scope, actions in scopes.items():
                yield from ((scope, action) for action in actions)


def _handler_permissions(template: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Scope and action of all that the handlers of a template's resources need."""
    used: defaultdict[str, set[str]] = defaultdict(set)
    for resource in template["Resources"].values():
        used[resource["Type"]] |= set(_keys(resource.get("Properties", {})))
    for kind in sorted(used):
        rule = _rules()["type"][kind]
        for action in _handlers()[kind]:
            if not _left_out(action, rule, used[kind] | set(used)):
                yield _scope(action, rule), action
        for scope, actions in rule.get("more", {}).items():
            yield from ((scope, action) for action in actions)


def _left_out(action: str, rule: Mapping[str, Any], used: set[str]) -> bool:
    """Whether an action serves only what a template does not use: a property, a type, or nothing of ours."""
    if any(_among(action, patterns) for patterns in rule.get("never", {}).values()):
        return True
    causes = [cause for cause, patterns in rule.get("with", {}).items() if _among(action, patterns)]
    return bool(causes) and not used.intersection(causes)


def _scope(action: str, rule: Mapping[str, Any]) -> str:
    elsewhere = (scope for scope, patterns in rule.get("to", {}).items() if _among(action, patterns))
    default: str = rule["scope"]
    return next(elsewhere, default)


def _among(action: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in patterns)


def _keys(value: Any) -> Iterator[str]:
    """The keys of a value at any depth."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)


def _variables(template: Mapping[str, Any], stack: str, region: str, account: str | None) -> Variables:
    """What fills the holes of the rules: names as the template has them, or as CloudFormation makes them."""
    bucket_account = account or "${aws:PrincipalAccount}"
    pseudo = {ACCOUNT: bucket_account, REGION: region, PARTITION: partition(region)}
    bodies: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for logical, resource in template["Resources"].items():
        bodies[resource["Type"]][logical] = _filled_in(resource.get("Properties", {}), pseudo)
    found: defaultdict[str, set[str]] = defaultdict(set)
    parts = (_of_names(bodies, stack), _of_roles(bodies), _of_functions(bodies), _of_rules(bodies))
    for part in (*parts, _of_domains(bodies), _of_issuers(bodies)):
        for variable, text in part:
            found[variable].add(text)
    if "store_bucket" in found or "policies" in found:
        found["package_bucket"].add(names.package_bucket(bucket_account, region))
    found["account"].add(account or "*")
    found["partition"].add(partition(region))
    found["region"].add(region)
    found["stack"].add(stack)
    return {variable: tuple(sorted(texts)) for variable, texts in found.items()}


def _filled_in(value: Any, pseudo: Mapping[str, str]) -> Any:
    """Properties with their references as text, and what belongs to account and region filled in."""
    match flat(value):
        case str() as text:
            for hole, content in pseudo.items():
                text = text.replace(hole, content)
            return text
        case dict() as inner:
            return {key: _filled_in(each, pseudo) for key, each in inner.items()}
        case list() as inner:
            return [_filled_in(each, pseudo) for each in inner]
        case other:
            return other


def _of_domains(bodies: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Host names, and the zones that hold their records."""
    for body in bodies.get("AWS::ApiGatewayV2::DomainName", {}).values():
        yield "domains", body["DomainName"]
    for body in bodies.get("AWS::Route53::RecordSet", {}).values():
        yield "zones", body["HostedZoneId"]


def _of_issuers(bodies: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Hosts whose signed tokens the account takes."""
    for body in bodies.get("AWS::IAM::OIDCProvider", {}).values():
        yield "issuers", body["Url"].removeprefix("https://")


def _of_names(bodies: Mapping[str, Mapping[str, Any]], stack: str) -> Iterator[tuple[str, str]]:
    """Patterns for the names of all that a template makes."""
    for variable, (kind, key, longest) in _NAMED.items():
        for logical, body in bodies.get(kind, {}).items():
            if key not in body:
                yield variable, _made_up(stack, logical, longest, lower=kind == "AWS::S3::Bucket")
                continue
            name = body[key].removeprefix("/aws/lambda/")
            for pattern in _patterns(name, stack, parts=variable in _WITH_PARTS):
                yield variable, pattern
    for logical in bodies.get("AWS::SecretsManager::Secret", {}):
        yield "secrets", f"{logical}-*"
        yield "secrets", f"{stack}-{logical}-*"


def _of_roles(bodies: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Which roles are passed to whom, what bounds them, and which models and aliases they read."""
    for body in bodies.get("AWS::IAM::Role", {}).values():
        for trust in body["AssumeRolePolicyDocument"]["Statement"]:
            if "Service" in trust["Principal"]:
                yield f"{trust['Principal']['Service'].partition('.')[0]}_roles", body["RoleName"]
        if "PermissionsBoundary" in body:
            yield "boundary", body["PermissionsBoundary"]
        for policy in body.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                for begin, variable in (("ReadModel", "models"), ("ReadAlias", "aliases")):
                    if statement["Sid"].startswith(begin):
                        yield variable, statement["Resource"].partition(":::")[2]


def _of_functions(bodies: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The key that encrypts, the bucket of the store, and the secrets that are read at starts."""
    for body in bodies.get("AWS::Lambda::Function", {}).values():
        if "KmsKeyArn" in body:
            yield "key", body["KmsKeyArn"]
        variables = body.get("Environment", {}).get("Variables", {})
        if "SLS_ML_STORE" in variables:
            yield "store_bucket", variables["SLS_ML_STORE"].removeprefix("s3://").partition("/")[0]
        for value in variables.values():
            if value.startswith("secret://"):
                yield "read_secrets", value.removeprefix("secret://").partition("#")[0]


def _of_rules(bodies: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The existing buckets that objects come from; the stack's own is a hole still."""
    for body in bodies.get("AWS::Events::Rule", {}).values():
        for name in body["EventPattern"]["detail"]["bucket"]["name"]:
            if not name.startswith("${"):
                yield "inputs", name


def _patterns(name: str, stack: str, *, parts: bool) -> set[str]:
    """All names of the stack where this one begins like them; a shortened name stands for itself."""
    if name.startswith(f"{stack}-"):
        return {f"{stack}-*"}
    return {name, f"{name}:*"} if parts else {name}


def _made_up(stack: str, logical: str, longest: int, *, lower: bool) -> str:
    """The names that CloudFormation may make up; it shortens the stack's name where it must."""
    begin = stack if len(f"{stack}-{logical}-") + _MADE_UP <= longest else stack[:_KEPT_PREFIX]
    pattern = f"{begin}-*" if begin == stack else f"{begin}*"
    return pattern.lower() if lower else pattern


def _filled(text: str, variables: Variables) -> Iterator[str]:
    """A text with its holes filled, once for every combination; nothing where a hole has no content."""
    holes = _HOLE.findall(text)
    for contents in product(*(variables.get(key, ()) for key in holes)):
        filled = text
        for key, content in zip(holes, contents, strict=True):
            filled = filled.replace(f"{{{key}}}", content)
        yield filled


def _condition(raw: Mapping[str, Mapping[str, str]], variables: Variables) -> dict[str, Any] | None:
    """A condition with its holes filled; None where nothing fills them."""
    condition: dict[str, Any] = {}
    for operator, pairs in raw.items():
        for key, text in pairs.items():
            values = list(_filled(text, variables))
            if values:
                condition[operator] = {key: values[0] if len(values) == 1 else values}
    return condition or None


def _documents(name: str, statements: Iterator[Statement]) -> tuple[Document, ...]:
    """Statements in as few documents as their order allows, each small enough for IAM."""
    groups: list[list[Statement]] = [[]]
    for statement in (part for each in statements for part in _parts(each)):
        if groups[-1] and _size([*groups[-1], statement]) > POLICY_CHARACTERS:
            groups.append([])
        groups[-1].append(statement)
    suffixes = [""] if len(groups) == 1 else [f"-{number}" for number in range(1, len(groups) + 1)]
    longest = names.POLICY_NAME_LENGTH - len(suffixes[-1])
    return tuple(
        Document(names.fitted(name, longest) + suffix, tuple(group))
        for suffix, group in zip(suffixes, groups, strict=True)
    )


def _parts(statement: Statement) -> Iterator[Statement]:
    """The statement itself; or, where it names too many resources for any document, parts of it."""
    if _size([statement]) <= POLICY_CHARACTERS or not isinstance(statement.resource, list):
        yield statement
        return
    middle = len(statement.resource) // 2
    for suffix, resources in (("A", statement.resource[:middle]), ("B", statement.resource[middle:])):
        yield from _parts(replace(statement, sid=f"{statement.sid}{suffix}", resource=resources))


def _size(statements: list[Statement] | tuple[Statement, ...]) -> int:
    return len(json.dumps(iam.policy(statements), separators=(",", ":")))


@cache
def _rules() -> dict[str, Any]:
    return tomllib.loads((_DATA / "rules.toml").read_text("utf-8"))


@cache
def _handlers() -> dict[str, list[str]]:
    """By type: the actions of its handlers for create, read, update and delete."""
    listed: dict[str, dict[str, list[str]]] = json.loads((_DATA / "handlers.json").read_text("utf-8"))
    return {
        kind: sorted({action for actions in handlers.values() for action in actions})
        for kind, handlers in listed.items()
    }
