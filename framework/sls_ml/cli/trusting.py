"""The command that shows who may do what: the roles of the functions, and the policy of whoever deploys."""

from __future__ import annotations

import json as jsonlib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sls_ml import deploy as story
from sls_ml.cli.console import Output
from sls_ml.cli.options import HERE, JsonOption, ProjectOption, StageOption
from sls_ml.conversion import locked
from sls_ml.errors import UnsupportedError, UsageError
from sls_ml.intent.model import Deployment
from sls_ml.package.model import Package
from sls_ml.provider.aws import ci_roles, deployer_policy, render, role_policies
from sls_ml.provider.aws.ci_pipelines import Pipeline, pipeline
from sls_ml.provider.aws.deployer_policy import Document
from sls_ml.provider.base import Rendered
from sls_ml.spec import Project, read


def iam(
    *,
    roles: Annotated[bool, typer.Option("--roles", help="Only the roles of the functions.")] = False,
    deployer: Annotated[bool, typer.Option("--deployer", help="Only the policy of whoever deploys.")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Statements added and removed against what is deployed.")
    ] = False,
    account: Annotated[
        str | None, typer.Option(help="Hold the deployer's policy to this account: twelve digits.")
    ] = None,
    ci: Annotated[
        str, typer.Option(help="Whom `bootstrap --ci` lets in, as it is said there.", show_default=False)
    ] = "github:org/repo",
    project: ProjectOption = HERE,
    stage: StageOption = None,
    json: JsonOption = False,
) -> None:
    """Print what each function may do, and the least policy for bootstrap, deploy, rollback and destroy."""
    output = Output.open(as_json=json)
    if account is not None and not re.fullmatch(r"\d{12}", account):
        raise UsageError(
            f"{account} is not an account",
            code="not-an-account",
            mend="give its twelve digits: --account 123456789012",
        )
    spec = read(project, stage)
    who = pipeline(ci, spec.stage)
    deployment = _decided(spec)
    rendered = _rendered(deployment)
    wanted = _Permissions(deployment, rendered, account)
    both = roles == deployer
    if diff:
        before = _deployed(spec, deployment, rendered, account)
        changes = list(_changes(before, wanted, roles=roles or both, deployer=deployer or both))
        output.document({"stage": spec.stage, "changes": changes})
        _show_changes(output, changes)
        return
    document: dict[str, Any] = {"stage": spec.stage, "provider": spec.provider}
    if roles or both:
        document["roles"] = wanted.roles()
    if deployer or both:
        document["deployer"] = [_described(each) for each in wanted.deploy()]
        document["bootstrap"] = [_described(each) for each in wanted.set_up()]
        document["bootstrap_ci"] = [_described(each) for each in wanted.let_in(who)]
    output.document(document)
    if not json:
        _show(output, document)


def template_of(spec: Project) -> Rendered:
    """The stack of a stage, from what is checked in; packages are made up: they have no part in permissions.

    Raises:
        UnsupportedError: The provider is not AWS.
        StaleError: The functions are not generated.
    """
    return _rendered(_decided(spec))


def _decided(spec: Project) -> Deployment:
    if spec.provider != "aws":
        raise UnsupportedError(
            f"iam knows aws, not {spec.provider}",
            code="iam-unsupported",
            where="provider",
            mend="set provider: aws",
        )
    return story.decide(spec, locked(spec)).deployment


def _rendered(deployment: Deployment) -> Rendered:
    return render(deployment, {function.name: _package(function.name) for function in deployment.functions})


class _Permissions:
    """All permissions that belong to one template.

    Args:
        deployment: The deployment, which knows the reasons.
        rendered: The template, of the same stack.
        account: The account that the deployer's policy is held to.
    """

    def __init__(self, deployment: Deployment, rendered: Rendered, account: str | None) -> None:
        self._deployment = deployment
        self._rendered = rendered
        self._stack = rendered.stack
        self._template: Mapping[str, Any] = jsonlib.loads(rendered.template)
        self._account = account

    def roles(self) -> dict[str, Any]:
        """Roles and callers' policies by logical id, as ``--json`` prints them."""
        reasons = role_policies.reasons(self._deployment)
        return {
            logical: {
                "name": holder.name,
                "function": holder.function,
                "service": holder.service,
                "boundary": holder.boundary,
                "policy": {"Version": "2012-10-17", "Statement": list(holder.statements)},
                "reasons": {each["Sid"]: reasons.get(each["Sid"], "") for each in holder.statements},
            }
            for logical, holder in role_policies.holders(self._template).items()
        }

    def deploy(self) -> tuple[Document, ...]:
        """The policy of whoever deploys this stage."""
        return deployer_policy.deploy(
            self._template, stack=self._stack, region=self._deployment.region, account=self._account
        )

    def set_up(self) -> tuple[Document, ...]:
        """The policy of whoever sets the account and region up."""
        return deployer_policy.set_up(region=self._deployment.region, account=self._account)

    def let_in(self, who: Pipeline) -> tuple[Document, ...]:
        """The policies of whoever makes the roles for CI, besides that of ``set_up``."""
        return ci_roles.makers(
            self._deployment.project,
            self._deployment.stage,
            self._deployment.region,
            who,
            self._rendered,
            self._account,
        )

    def statements(self, *, roles: bool, deployer: bool) -> Iterator[tuple[str, Mapping[str, Any], str]]:
        """Every statement: who holds it, itself, its reason."""
        if roles:
            for role in self.roles().values():
                for each in role["policy"]["Statement"]:
                    yield role["name"], each, role["reasons"][each["Sid"]]
        if deployer:
            for document in self.deploy():
                for statement in document.statements:
                    yield "deployer", statement.document(), statement.reason


def _package(function: str) -> Package:
    """A package that stands for any: what is in it has no part in permissions."""
    return Package(
        function=function,
        kind="zip",
        path=Path(f"{function}.zip"),
        sha256="0" * 64,
        bytes=0,
        unpacked_bytes=0,
        python="",
        architecture="x86_64",
        platform="",
        glibc="",
        bytecode="",
        files=(),
        pruned=(),
        warnings=(),
    )


def _deployed(
    spec: Project, deployment: Deployment, rendered: Rendered, account: str | None
) -> _Permissions | None:
    """The permissions of the template that is deployed; None where nothing is."""
    target = story.target(spec)
    from sls_ml.provider.aws.client import Client
    from sls_ml.provider.aws.render import with_digest
    from sls_ml.provider.aws.stacks import Stacks

    stacks = Stacks(Client(target))
    stack = stacks.find(rendered.stack)
    if stack is None or stack.status == "REVIEW_IN_PROGRESS":
        return None
    return _Permissions(deployment, with_digest(stack.name, stacks.template(stack.name)), account)


def _changes(
    before: _Permissions | None, after: _Permissions, *, roles: bool, deployer: bool
) -> Iterator[dict[str, Any]]:
    """What is removed and added, each with its holder; a statement that changed is both."""
    was = _by_content(before.statements(roles=roles, deployer=deployer)) if before else {}
    will = _by_content(after.statements(roles=roles, deployer=deployer))
    for key in sorted(was.keys() | will.keys()):
        if key not in will:
            yield {"change": "removed", **was[key]}
        elif key not in was:
            yield {"change": "added", **will[key]}


def _by_content(
    statements: Iterable[tuple[str, Mapping[str, Any], str]],
) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {
        (holder, body["Sid"], jsonlib.dumps(body, sort_keys=True)): {
            "holder": holder,
            "statement": dict(body),
            "reason": reason,
        }
        for holder, body, reason in statements
    }


def _described(document: Document) -> dict[str, Any]:
    return {
        "name": document.name,
        "characters": document.characters,
        "policy": document.policy,
        "reasons": {each.sid: each.reason for each in document.statements},
    }


def _show(output: Output, document: Mapping[str, Any]) -> None:
    for role in document.get("roles", {}).values():
        who = f"role of {role['service']}" if role["service"] else "policy for callers"
        owner = f"{role['function']}: " if role["function"] else "drift watch: "
        output.say(f"{owner}{who} {role['name']}", style="bold")
        if role["boundary"]:
            output.say(f"  bounded by {role['boundary']}")
        _show_statements(output, role["policy"]["Statement"], role["reasons"])
    titles = {
        "deployer": "whoever deploys",
        "bootstrap": "sls-ml bootstrap, once an account and region",
        "bootstrap_ci": "sls-ml bootstrap --ci, once a stage, besides the policy for bootstrap",
    }
    for key, title in titles.items():
        policies = document.get(key, [])
        for policy in policies:
            size = f"{policy['characters']:,} of {deployer_policy.POLICY_CHARACTERS:,} characters"
            output.say(f"{title}: policy {policy['name']}, {size}", style="bold")
            _show_statements(output, policy["policy"]["Statement"], policy["reasons"])
        if len(policies) > 1:
            output.say(f"  {len(policies)} policies: attach all of them")


def _show_statements(
    output: Output, statements: Iterable[Mapping[str, Any]], reasons: Mapping[str, str]
) -> None:
    for statement in statements:
        _show_statement(output, "  ", statement, reasons[statement["Sid"]])


def _show_statement(output: Output, mark: str, statement: Mapping[str, Any], reason: str) -> None:
    denied = "deny " if statement["Effect"] == "Deny" else ""
    output.say(f"{mark}{statement['Sid']}: {denied}{', '.join(statement['Action'])}")
    resources = statement["Resource"]
    for resource in resources if isinstance(resources, list) else [resources]:
        output.say(f"      on {resource}")
    for operator, pairs in statement.get("Condition", {}).items():
        for key, value in pairs.items():
            listed = ", ".join(value) if isinstance(value, list) else value
            output.say(f"      if {key} {operator} {listed}")
    if reason:
        output.say(f"      {reason}", style="dim")


def _show_changes(output: Output, changes: Iterable[Mapping[str, Any]]) -> None:
    signs = {"added": "+ ", "removed": "- "}
    holder = None
    for change in changes:
        if change["holder"] != holder:
            holder = change["holder"]
            output.say(f"{holder}", style="bold")
        _show_statement(output, signs[change["change"]], change["statement"], change["reason"])
    if holder is None:
        output.say("no permission changes")
