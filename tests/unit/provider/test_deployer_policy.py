"""The deployer's policy: derived from CloudFormation's schemas and from our own calls."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from sls_ml.intent.model import Deployment
from sls_ml.package.model import Package
from sls_ml.provider.aws import ci_roles, deployer_policy, names, render, role_policies
from sls_ml.provider.aws.ci_pipelines import GITHUB, pipeline
from sls_ml.provider.aws.deployer_policy import Document
from sls_ml.spec.model import Aws

AWS = Path(deployer_policy.__file__).parent
HANDLERS = AWS / "data" / "permissions" / "handlers.json"
GOLDEN = Path(__file__).parents[2] / "golden" / "aws"
HANDLER_KINDS = ("create", "read", "update", "delete")
ACCOUNT = "123456789012"

Case = tuple[str, Deployment, dict[str, Package]]


def _documents(case: Case, account: str | None = ACCOUNT) -> tuple[Document, ...]:
    _, deployment, packages = case
    rendered = render(deployment, packages)
    return deployer_policy.deploy(
        json.loads(rendered.template), stack=rendered.stack, region=deployment.region, account=account
    )


def _text(documents: tuple[Document, ...]) -> str:
    value = [
        {
            "name": document.name,
            "policy": document.policy,
            "reasons": {each.sid: each.reason for each in document.statements},
        }
        for document in documents
    ]
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _rendered_types() -> list[str]:
    templates = [json.loads(file.read_text()) for file in GOLDEN.glob("*.json")]
    templates.append(json.loads(ci_roles.provider(GITHUB).template))
    return sorted({each["Type"] for template in templates for each in template["Resources"].values()})


def test_golden_handlers_are_those_of_the_schemas() -> None:
    # GIVEN the resource schemas that cfn-lint brings, and all types that our templates have
    current = {}
    for kind in _rendered_types():
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema["handlers"]
        current[kind] = {
            name: sorted(handlers[name]["permissions"]) for name in HANDLER_KINDS if name in handlers
        }
    text = json.dumps(current, indent=1, sort_keys=True) + "\n"
    if os.environ.get("SLS_ML_REGEN"):
        HANDLERS.write_text(text)
    # THEN the extract is current
    assert HANDLERS.read_text() == text


def test_golden_policies(case: Case, golden: Callable[[str, str], None]) -> None:
    golden(f"iam/{case[0]}.json", _text(_documents(case)))


def test_golden_policy_of_bootstrap(golden: Callable[[str, str], None]) -> None:
    golden("iam/bootstrap.json", _text(deployer_policy.set_up(region="eu-west-1", account=ACCOUNT)))


def test_golden_policies_of_bootstrap_for_ci(case: Case, golden: Callable[[str, str], None]) -> None:
    # GIVEN a stage, for CI to deploy
    name, deployment, packages = case
    rendered = render(deployment, packages)
    documents = ci_roles.makers(
        deployment.project,
        deployment.stage,
        deployment.region,
        pipeline("github:org/repo", deployment.stage),
        rendered,
        account=ACCOUNT,
    )
    # THEN who makes the roles may do so much
    assert all(document.characters <= deployer_policy.POLICY_CHARACTERS for document in documents)
    if name in ("http", "long-names"):
        golden(f"iam/ci-{name}.json", _text(documents))


def test_the_policy_for_an_issuer_names_it(case: Case) -> None:
    # GIVEN a stage that a GitLab of one's own deploys
    _, deployment, packages = case
    who = pipeline("gitlab:https://git.example.org/a/b", deployment.stage)
    rendered = render(deployment, packages)
    first, *_ = ci_roles.makers(
        deployment.project, deployment.stage, deployment.region, who, rendered, account=ACCOUNT
    )
    # THEN who makes it an identity provider may make just this one
    assert first.name == "sls-ml-bootstrap-gitlab--git-example-org"
    (statement,) = (
        each for each in first.policy["Statement"] if "iam:CreateOpenIDConnectProvider" in each["Action"]
    )
    assert statement["Resource"] == f"arn:aws:iam::{ACCOUNT}:oidc-provider/git.example.org"


def test_every_rule_is_used_and_every_type_has_one() -> None:
    # GIVEN the rules and the extract of the schemas
    rules, handlers = deployer_policy._rules(), deployer_policy._handlers()
    # THEN they are about the same types
    assert sorted(rules["type"]) == sorted(handlers)
    # THEN every pattern of a rule matches an action of its type
    for kind, rule in rules["type"].items():
        for part in ("to", "with", "never"):
            for patterns in rule.get(part, {}).values():
                for pattern in patterns:
                    matched = [a for a in handlers[kind] if deployer_policy._among(a, [pattern])]
                    assert matched, f"{kind}: {part} {pattern}"
    # THEN every scope that is named exists
    named = {rule["scope"] for rule in rules["type"].values()}
    for rule in rules["type"].values():
        named |= {*rule.get("to", {}), *rule.get("more", {})}
    for calls in rules["calls"].values():
        named |= {scope for scopes in calls.values() for scope in scopes}
    assert named == set(rules["scope"])


def test_every_call_of_ours_is_in_the_table() -> None:
    # GIVEN the modules of the provider that talk to AWS
    found = {(file.stem, call) for file in AWS.glob("*.py") for call in _calls(file)}
    # THEN the table holds exactly their calls
    table = {(module, call) for module, calls in deployer_policy._rules()["calls"].items() for call in calls}
    assert found == table


def _calls(file: Path) -> Iterator[str]:
    """Every ``<service>.<method>`` that a module calls: on the client's services, or on one that it makes."""
    tree = ast.parse(file.read_text())
    made: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Name(name)],
                value=ast.Call(func=ast.Attribute(attr="client"), args=[ast.Constant(str() as service), *_]),
            ):
                made[name] = service
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    attr=method,
                    value=ast.Attribute(
                        attr=service, value=ast.Attribute(attr="_client", value=ast.Name("self"))
                    ),
                ),
                args=arguments,
            ):
                yield f"{service}.{_operation(method, arguments)}"
            case ast.Call(func=ast.Attribute(attr=method, value=ast.Name(name)), args=arguments) if (
                name in made
            ):
                yield f"{made[name]}.{_operation(method, arguments)}"


def _operation(method: str, arguments: list[ast.expr]) -> str:
    """The operation's own name: a paginator is asked for by it."""
    match method, arguments:
        case "get_paginator", [ast.Constant(str() as name)]:
            return name
        case _:
            return method


def test_documents_fit_into_managed_policies(case: Case) -> None:
    for document in _documents(case):
        assert document.characters <= deployer_policy.POLICY_CHARACTERS
        assert len(document.name) <= names.POLICY_NAME_LENGTH


def test_a_statement_about_too_many_roles_is_parted(make: Any) -> None:
    # GIVEN a project with more functions than a policy can name roles
    functions = [make.function(f"function-{number}") for number in range(90)]
    packages = {each.name: make.package(each.name) for each in functions}
    # WHEN its policy is made
    documents = _documents(("", make.deployment(*functions), packages))
    # THEN every document fits, and every role is passed in one of them
    assert all(each.characters <= deployer_policy.POLICY_CHARACTERS for each in documents)
    passed = [
        role
        for document in documents
        for each in document.statements
        if "iam:PassRole" in each.actions
        for role in each.resource
    ]
    assert len(passed) == len(set(passed)) == len(functions)


def test_every_statement_has_its_reason_and_its_own_sid(case: Case) -> None:
    # GIVEN a policy
    statements = [each for document in _documents(case) for each in document.statements]
    # THEN no two statements share a name, and none is without a reason
    assert len({each.sid for each in statements}) == len(statements)
    assert all(each.reason for each in statements)


WIDE = {
    "NewMappings",
    "SeeLogs",
    "StopRollout",
    "SeeScaling",
    "Subscriptions",
    "Random",
    "Network",
    "SeeZones",
    "SeeDrift",
}


def test_only_named_statements_act_upon_everything(case: Case) -> None:
    # GIVEN a policy
    statements = [each for document in _documents(case) for each in document.statements]
    # THEN a bare wildcard stands only where the service knows no resource
    assert {each.sid for each in statements if each.resource == "*"} <= WIDE
    # THEN no action is a pattern
    assert not [action for each in statements for action in each.actions if "*" in action]


def test_a_role_is_passed_by_its_whole_name_to_one_service(case: Case) -> None:
    # GIVEN a policy, and the roles of the template
    _, deployment, packages = case
    template = json.loads(render(deployment, packages).template)
    passing = {
        each.sid: each
        for document in _documents(case)
        for each in document.statements
        if "iam:PassRole" in each.actions
    }
    # THEN each role may be passed to the service that takes it, and no other role, to no other service
    for service, sid in (("lambda", "PassLambda"), ("codedeploy", "PassCodedeploy")):
        roles = [
            f"arn:aws:iam::{ACCOUNT}:role/{holder.name}"
            for holder in role_policies.holders(template).values()
            if holder.service == f"{service}.amazonaws.com"
        ]
        if not roles:
            assert sid not in passing
            continue
        resource = passing[sid].resource
        assert sorted(resource if isinstance(resource, list) else [resource]) == sorted(roles)
        assert passing[sid].condition == {"StringEquals": {"iam:PassedToService": f"{service}.amazonaws.com"}}


def test_a_boundary_bounds_the_roles_that_a_deployer_makes(make: Any) -> None:
    # GIVEN a project without a boundary and one with
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    conditions = []
    for aws in (Aws(), Aws(permissions_boundary=boundary)):
        deployment = make.deployment(make.function(), aws=aws)
        documents = _documents(("", deployment, {"predict": make.package("predict")}))
        statements = [each for document in documents for each in document.statements]
        (creates,) = (each for each in statements if "iam:CreateRole" in each.actions)
        (empowers,) = (each for each in statements if "iam:PutRolePolicy" in each.actions)
        assert creates is empowers
        conditions.append(creates.condition)
        # THEN a boundary can never be taken away
        assert not [each for each in statements if "iam:DeleteRolePermissionsBoundary" in each.actions]
    # THEN roles can be made and given powers only within it
    assert conditions == [None, {"ArnEquals": {"iam:PermissionsBoundary": boundary}}]


def test_without_an_account_the_policy_fits_any(make: Any) -> None:
    # GIVEN a project
    deployment = make.deployment(make.function())
    # WHEN no account is given
    documents = _documents(("", deployment, {"predict": make.package("predict")}), account=None)
    # THEN none is named, and buckets are those of the caller's own account
    text = _text(documents)
    assert ACCOUNT not in text
    assert "arn:aws:lambda:eu-west-1:*:function:sls-ml-credit-risk-dev-*" in text
    assert "arn:aws:s3:::sls-ml-packages-${aws:PrincipalAccount}-eu-west-1/packages/*" in text


@pytest.mark.parametrize(
    ("region", "part"), [("eu-west-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_arns_name_the_part_of_aws(region: str, part: str) -> None:
    (document,) = deployer_policy.set_up(region=region)
    assert f"arn:{part}:s3:::sls-ml-store-" in json.dumps(document.policy)


def test_every_statement_of_a_role_has_its_reason(case: Case) -> None:
    # GIVEN the roles of a template
    _, deployment, packages = case
    holders = role_policies.holders(json.loads(render(deployment, packages).template))
    # THEN each of their statements has a written reason
    reasons = role_policies.reasons(deployment)
    for holder in holders.values():
        assert all(reasons[statement["Sid"]] for statement in holder.statements)
