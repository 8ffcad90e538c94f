"""A deployment becomes a CloudFormation template."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs
from pydantic import BaseModel

from sls_ml.errors import UnsupportedError
from sls_ml.intent.model import Deployment, Place
from sls_ml.package.model import Package
from sls_ml.provider.aws import render
from sls_ml.provider.aws.bootstrap import bootstrap
from sls_ml.spec.model import Concurrency, Http

GOLDEN = Path(__file__).parents[2] / "golden" / "aws"


def test_template_is_the_golden_one(
    case: tuple[str, Deployment, dict[str, Package]], golden: Callable[[str, str], None]
) -> None:
    # GIVEN one of the deployments
    name, deployment, packages = case
    # WHEN it is rendered
    rendered = render(deployment, packages)
    # THEN the template is the checked-in one, byte for byte
    golden(f"aws/{name}.json", rendered.template)


def test_bootstrap_template_is_the_golden_one(golden: Callable[[str, str], None]) -> None:
    # GIVEN nothing
    # WHEN the bootstrap stack is rendered
    # THEN it is the checked-in one, byte for byte
    golden("aws/bootstrap.json", bootstrap().template)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_cfn_lint_has_nothing_to_say(file: Path) -> None:
    # GIVEN a golden template
    # WHEN AWS's own linter reads it
    matches = lint_file(file, ManualArgs(regions=["eu-west-1"]))
    # THEN it finds neither errors nor warnings
    assert [str(match) for match in matches] == []


def test_rendering_twice_gives_the_same_digest(case: tuple[str, Deployment, dict[str, Package]]) -> None:
    # GIVEN one of the deployments
    _, deployment, packages = case
    # WHEN it is rendered twice
    # THEN both are equal
    assert render(deployment, packages) == render(deployment, packages)


def _ids(template: str, kind: str) -> list[str]:
    resources = json.loads(template)["Resources"]
    return [name for name, body in resources.items() if body["Type"] == kind]


def test_a_new_package_publishes_a_new_version(make: Any) -> None:
    # GIVEN a deployment
    deployment = make.deployment(make.function())
    # WHEN it is rendered with two different packages
    one = render(deployment, {"predict": make.package("predict", "5f")}).template
    other = render(deployment, {"predict": make.package("predict", "60")}).template
    # THEN the version is another resource, and every other id is the same
    assert set(json.loads(one)["Resources"]) ^ set(json.loads(other)["Resources"]) == {
        *_ids(one, "AWS::Lambda::Version"),
        *_ids(other, "AWS::Lambda::Version"),
    }
    assert _ids(one, "AWS::Lambda::Version") != _ids(other, "AWS::Lambda::Version")


@pytest.mark.parametrize(
    ("changed", "publishes"),
    [
        ({"memory": 1024}, True),
        ({"timeout": 20}, True),
        ({"environment": {"LEVEL": "debug"}}, True),
        ({"concurrency": Concurrency(reserved=3)}, False),
        ({"log_retention": 90}, False),
        ({"http": Http(auth="public")}, False),
    ],
)
def test_only_what_a_version_freezes_publishes(make: Any, changed: dict[str, Any], publishes: bool) -> None:
    # GIVEN a function and the same with one setting changed
    packages = {"predict": make.package("predict")}
    before = render(make.deployment(make.function()), packages).template
    # WHEN both are rendered
    after = render(make.deployment(make.function(**changed)), packages).template
    # THEN a version is published if and only if Lambda freezes this setting into one
    versions = "AWS::Lambda::Version"
    assert (_ids(before, versions) != _ids(after, versions)) is publishes
    assert before != after


def test_uploads_are_addressed_by_content(make: Any) -> None:
    # GIVEN two functions with the same package
    deployment = make.deployment(make.function("one"), make.function("two"))
    packages = {"one": make.package("one"), "two": make.package("two")}
    # WHEN the deployment is rendered
    rendered = render(deployment, packages)
    # THEN there is one upload
    assert list(rendered.uploads) == [f"packages/{'5f' * 32}.zip"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"timeout": 901}, "timeout-too-long"),
        ({"start": "snapstart", "python": "3.11"}, "snapstart-unsupported"),
        ({"environment": {"TABLE": "x" * 4000}}, "environment-too-large"),
    ],
)
def test_what_lambda_cannot_do_is_refused(make: Any, changed: dict[str, Any], code: str) -> None:
    # GIVEN a function beyond Lambda's limits
    deployment = make.deployment(make.function(**changed))
    # WHEN it is rendered
    with pytest.raises(UnsupportedError) as caught:
        render(deployment, {"predict": make.package("predict")})
    # THEN it is refused
    assert caught.value.code == code


def test_models_larger_than_the_disk_are_refused(make: Any) -> None:
    # GIVEN models of 11 GB that are fetched at start
    deployment = make.deployment(make.function(models=(make.model(size=11 << 30, bundled=False),)))
    # WHEN the deployment is rendered
    with pytest.raises(UnsupportedError) as caught:
        render(deployment, {"predict": make.package("predict")})
    # THEN it is refused
    assert caught.value.code == "models-too-large"


def test_a_prefix_with_a_wildcard_is_refused(make: Any) -> None:
    # GIVEN an input prefix that IAM would read as a pattern
    batch = make.scoring(Place("bucket", "in*/"), Place(None, "out/"))
    deployment = make.deployment(make.function("score", batch=batch))
    # WHEN the deployment is rendered
    with pytest.raises(UnsupportedError) as caught:
        render(deployment, {"score": make.package("score")})
    # THEN it is refused
    assert caught.value.code == "prefix-unsupported"


@pytest.mark.parametrize("store", ["gs://bucket", "file:///tmp/store"])
def test_a_store_that_a_function_cannot_read_is_refused(make: Any, store: str) -> None:
    # GIVEN a store outside S3
    deployment = make.deployment(make.function(), store=store)
    # WHEN the deployment is rendered
    with pytest.raises(UnsupportedError) as caught:
        render(deployment, {"predict": make.package("predict")})
    # THEN it is refused
    assert caught.value.code == "store-unsupported"


IN_THE_PACKAGE = {
    *("Batch.format", "Batch.join", "Batch.max_rejected", "Batch.output"),
    *("Http.max_body", "Http.max_rows", "Http.page"),
    *("Function.requirements", "Function.style"),
    "ModelRef.engine",
}
"""Settings that the code of a function reads: a template does not have them."""

IN_NO_TEMPLATE = {
    "Deployment.provider": "every golden is of AWS",
    "Deployment.vendor": "it is for what is generated",
    "Function.start_reason": "`plan` says it",
    "Drift.hours": "it is a day, always",
    "Drift.least": "it follows from what chance does, and not from the spec",
    "Drift.reference": "so does it",
}
"""Other settings with one value in all goldens, and why."""


def test_the_goldens_show_every_setting(make: Any) -> None:
    # GIVEN every setting that a deployment may have, with its values in all goldens
    values: dict[str, set[str]] = {}
    for each in make.deployments.values():
        for name, value in _settings(each):
            values.setdefault(name, set()).add(value)
    # THEN each has at least two values somewhere, but for those that cannot
    alike = {name for name, found in values.items() if len(found) < 2}
    assert alike == IN_THE_PACKAGE | set(IN_NO_TEMPLATE)


def _settings(value: Any) -> Iterator[tuple[str, str]]:
    """Every field of a value and of those within, with its value as text."""
    match value:
        case BaseModel():
            fields = {name: getattr(value, name) for name in type(value).model_fields}
        case _ if is_dataclass(value) and not isinstance(value, type):
            fields = {each.name: getattr(value, each.name) for each in dataclass_fields(value)}
        case tuple() | list():
            for each in value:
                yield from _settings(each)
            return
        case _:
            return
    for name, inner in fields.items():
        yield f"{type(value).__name__}.{name}", repr(inner)
        yield from _settings(inner)
