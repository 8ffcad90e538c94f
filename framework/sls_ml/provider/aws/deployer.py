"""Everything that changes something on AWS, or asks how it stands."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from sls_ml.errors import ApplyError, ExternalError, UsageError
from sls_ml.provider.aws import aliases, bootstrap, cloudformation, drift, names, rollback
from sls_ml.provider.aws.client import Client, MissingError, split_uri, translated
from sls_ml.provider.aws.render import with_digest
from sls_ml.provider.aws.stacks import Stack, Stacks
from sls_ml.provider.base import (
    Changes,
    Drift,
    Followed,
    FunctionOutputs,
    Progress,
    Release,
    Rendered,
    StackOutputs,
    Upload,
)

if TYPE_CHECKING:
    from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef
    from mypy_boto3_s3.type_defs import ObjectTypeDef

KEPT_RELEASES = 10
"""Versions of a function that can be rolled back to."""


class AwsDeployer:
    """Deploys to one account and region.

    Args:
        client: The session with AWS.
        stack: Name of the stack that `outputs`, `releases`, `rollback` and `destroy` are about; `changes`
            sets it.
        stage: Its stage, for messages.
    """

    def __init__(self, client: Client, stack: str | None = None, stage: str | None = None) -> None:
        self._client = client
        self._stacks = Stacks(client)
        self._stack = stack
        self._stage = stage

    def at(self, project: str, stage: str) -> AwsDeployer:
        """The same deployer for the stack of one stage of a project."""
        return AwsDeployer(self._client, names.stack_name(project, stage), stage)

    @property
    def store(self) -> str:
        """The bootstrap bucket for artifacts, as a URI: what ``store: auto`` means here."""
        return f"s3://{self._client.store_bucket}"

    def bootstrap(self) -> Iterator[Progress]:
        """Create or update the buckets that every deploy in this account and region needs.

        Buckets that outlived a bootstrap stack which somebody deleted are taken over.
        """
        changes = self._stacks.preview(bootstrap.bootstrap(), adopt=True)
        if changes.empty:
            yield Progress(changes.stack, "skipped", "up to date")
        else:
            yield from self._stacks.execute(changes)

    @property
    def account(self) -> str:
        """The twelve digits of the account."""
        return self._client.account

    def trusts(self, issuer: str) -> bool:
        """Whether the account has an identity provider, by the host that signs its tokens."""
        with translated("listing the identity providers of the account"):
            found = self._client.iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        return any(each.get("Arn", "").endswith(f":oidc-provider/{issuer}") for each in found)

    def uploads(self, rendered: Rendered) -> tuple[Upload, ...]:
        """Where the packages of a deployment go."""
        bucket = self._client.package_bucket
        return tuple(Upload(file, f"s3://{bucket}/{key}") for key, file in sorted(rendered.uploads.items()))

    def upload(self, files: Iterable[Upload]) -> Iterator[Progress]:
        """Upload files, in parts where they are large; what is there already is skipped.

        Raises:
            ExternalError: A file cannot be read, or the bucket does not exist or may not be written.
        """
        for upload in files:
            bucket, key = split_uri(upload.uri)
            if self._exists(bucket, key):
                yield Progress(upload.uri, "skipped", "there already")
                continue
            try:
                size = upload.file.stat().st_size
            except OSError as error:
                raise ExternalError(
                    "a file to upload cannot be read",
                    code="file-missing",
                    where=str(upload.file),
                    why=str(error),
                    mend="deploy again: packages are built anew where they are missing",
                ) from error
            yield Progress(upload.uri, "started", f"{size:,} bytes")
            with translated(f"uploading to {upload.uri}"):
                self._client.s3.upload_file(str(upload.file), bucket, key)
            yield Progress(upload.uri, "done", f"{size:,} bytes")

    def changes(self, rendered: Rendered) -> Changes:
        """What a deployment would change; one call where it is deployed already.

        Raises:
            ApplyError: Another deploy is running, or CloudFormation refuses the template.
        """
        self._stack = rendered.stack
        return self._stacks.preview(rendered)

    def apply(self, changes: Changes) -> Iterator[Progress]:
        """Carry changes out, keep the template for a rollback, and delete versions that are too old for one.

        The stacks that let CI in have no releases to go back to.

        Raises:
            ApplyError: A resource failed (the previous release is back), or the plan is out of date.
        """
        self._stack = changes.stack
        yield from self._stacks.execute(changes)
        if changes.token is not None:
            stack = self._require()
            if not names.lets_ci_in(stack.name):
                self._keep_template(stack)
            yield from self._forget(stack)

    def outputs(self) -> StackOutputs:
        """Where the deployed functions are found.

        Raises:
            MissingError: Nothing is deployed.
        """
        stack = self._require()
        return StackOutputs(
            functions={
                function: FunctionOutputs(
                    endpoint=_output(stack, function, "Endpoint"),
                    input=_output(stack, function, "Input"),
                    output=_output(stack, function, "Output"),
                    queue=_output(stack, function, "Queue"),
                )
                for function in _functions(stack)
            },
            digest=stack.digest,
        )

    @property
    def aliases(self) -> aliases.AwsAliases:
        """The aliases of models in the store."""
        return aliases.AwsAliases(self._client)

    def followed(self) -> Sequence[Followed]:
        """What the deployed functions follow; nothing where nothing is deployed."""
        stack = self._stacks.find(self._name())
        if stack is None or stack.status == "REVIEW_IN_PROGRESS":
            return []
        return list(aliases.followed(json.loads(self._stacks.template(stack.name))))

    def releases(self) -> Sequence[Release]:
        """Every published version of every function: functions in the spec's order, newest version first."""
        stack = self._require()
        template = json.loads(self._stacks.template(stack.name))
        return [
            release
            for function in _functions(stack)
            for release in self._releases(stack, function, drift.released(template, function))
        ]

    def drift(self) -> Sequence[Drift]:
        """What was changed past CloudFormation: it compares every resource with the template."""
        return list(drift.Drifts(self._client).detect(self._require().name))

    def rollback(self, release: Release) -> Iterator[Progress]:
        """Send the traffic back to a past release at once, then make the stack say the same.

        Raises:
            MissingError: Nothing is deployed, or the version is gone.
            ApplyError: A deploy is running, which would move the traffic once more; or the stack could not be
                updated, and the traffic is back nevertheless.
        """
        stack = self._require()
        if stack.running:
            raise ApplyError(
                "a deploy is running",
                code="deploy-running",
                where=f"stack {stack.name}",
                why="it moves the traffic itself, at its end or step by step",
                mend=f"take it back: aws cloudformation cancel-update-stack --stack-name {stack.name}",
            )
        name = _output(stack, release.function, "Function")
        if name is None:
            raise UsageError(
                f"{stack.name} has no function {release.function}",
                code="no-such-function",
                mend="deploy it first: sls-ml deploy",
            )
        with translated(f"moving the traffic of {name} to version {release.version}"):
            version = self._client.functions.get_function_configuration(
                FunctionName=name, Qualifier=release.version
            )
            self._client.functions.update_alias(
                FunctionName=name,
                Name=names.ALIAS,
                FunctionVersion=release.version,
                RoutingConfig={"AdditionalVersionWeights": {}},
            )
        yield Progress(release.function, "done", f"{names.ALIAS} -> version {release.version}")
        self._keep_template(stack)
        past = self._past_template(stack.name, version.get("Description", ""))
        if past is None:
            detail = "no template of that release is kept: the next deploy puts the stack's own release back"
            yield Progress(stack.name, "skipped", detail)
            return
        current = json.loads(self._stacks.template(stack.name))
        template = rollback.taken_back(current, json.loads(past), release.function)
        yield from self.apply(self.changes(with_digest(stack.name, cloudformation.text(template))))

    def destroy(self) -> Iterator[Progress]:
        """Delete the stack, and say what is left."""
        name = self._name()
        stack = self._stacks.find(name)
        if stack is None:
            yield Progress(name, "skipped", "nothing is deployed")
            return
        kept = self._stacks.buckets(name)
        yield from self._stacks.delete(stack)
        for bucket in kept:
            yield Progress(f"s3://{bucket}", "skipped", "kept with its objects: delete it yourself")
        yield Progress(self.store, "skipped", "kept: artifacts stay in the store, packages beside it")

    def _name(self) -> str:
        if self._stack is None:
            raise UsageError(
                "no stack is chosen", code="no-stack", mend="call at(project, stage), or changes(rendered)"
            )
        return self._stack

    def _require(self) -> Stack:
        stack = self._stacks.find(self._name())
        if stack is None or stack.status == "REVIEW_IN_PROGRESS":
            raise MissingError(
                "nothing is deployed",
                code="not-deployed",
                where=f"stack {self._name()}, {self._client.region}",
                mend=f"run `sls-ml deploy --stage {self._stage}`" if self._stage else "run `sls-ml deploy`",
            )
        return stack

    def _exists(self, bucket: str, key: str) -> bool:
        try:
            with translated(f"looking for s3://{bucket}/{key}"):
                self._client.s3.head_object(Bucket=bucket, Key=key)
        except MissingError:
            return False
        return True

    def _releases(self, stack: Stack, function: str, deployed: str | None = None) -> list[Release]:
        name = _output(stack, function, "Function") or ""
        with translated(f"listing the releases of {name}"):
            pages = self._client.functions.get_paginator("list_versions_by_function").paginate(
                FunctionName=name
            )
            versions = [each for page in pages for each in page["Versions"] if each["Version"] != "$LATEST"]
            live = self._client.functions.get_alias(FunctionName=name, Name=names.ALIAS)["FunctionVersion"]
        versions.sort(key=lambda each: int(each["Version"]), reverse=True)
        # After a rollback the stack's release is there twice: as it was, and as the rollback published it.
        alike = [each["Version"] for each in versions if each.get("Description") == deployed]
        named = live if live in alike else next(iter(alike), None)
        return [
            Release(
                function=function,
                version=version["Version"],
                package_sha256=base64.b64decode(version["CodeSha256"]).hex(),
                live=version["Version"] == live,
                deployed=version["Version"] == named,
                models=_models(version),
            )
            for version in versions
        ]

    def _forget(self, stack: Stack) -> Iterator[Progress]:
        """Delete old versions: each counts against the account's 75 GB of code."""
        for function in _functions(stack):
            for release in self._releases(stack, function)[KEPT_RELEASES:]:
                if release.live:
                    continue
                with translated(f"deleting version {release.version} of {function}"):
                    self._client.functions.delete_function(
                        FunctionName=_output(stack, function, "Function") or "", Qualifier=release.version
                    )
                yield Progress(function, "done", f"version {release.version} deleted, {KEPT_RELEASES} kept")

    def _keep_template(self, stack: Stack) -> None:
        """Store the deployed template: a rollback to one of its releases needs it."""
        with translated(f"keeping the template of {stack.name}"):
            self._client.s3.put_object(
                Bucket=self._client.package_bucket,
                Key=names.template_key(stack.name, stack.digest),
                Body=self._stacks.template(stack.name).encode(),
            )

    def _past_template(self, stack: str, version_id: str) -> str | None:
        """The newest kept template that publishes a version, given by its logical id."""
        bucket = self._client.package_bucket
        pages = self._client.s3.get_paginator("list_objects_v2")
        with translated(f"looking for past templates of {stack}"):
            objects: list[ObjectTypeDef] = [
                each
                for page in pages.paginate(Bucket=bucket, Prefix=names.template_folder(stack))
                for each in page.get("Contents", [])
            ]
            for each in sorted(objects, key=lambda each: each["LastModified"], reverse=True):
                body = self._client.s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read().decode()
                if rollback.holds(json.loads(body), version_id):
                    return body
        return None


def _models(version: FunctionConfigurationTypeDef) -> dict[str, str]:
    """The models in a version's package, and the beginnings of their digests, where they are noted."""
    noted = version.get("Environment", {}).get("Variables", {}).get(names.MODELS, "")
    pairs = (each.partition(":") for each in noted.split())
    return {model: digest for model, _, digest in pairs}


def _functions(stack: Stack) -> list[str]:
    listed = stack.outputs.get(names.FUNCTIONS_OUTPUT, "")
    return listed.split(",") if listed else []


def _output(stack: Stack, function: str, suffix: str) -> str | None:
    return stack.outputs.get(names.logical_id(function, suffix))
