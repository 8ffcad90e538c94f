"""What `chalice package` makes of a project with the template to merge: what our own has, where SAM can.

SAM's own translator says what CloudFormation gets of it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.functional.styles.conftest import deployment, function
from tests.functional.styles.test_chalice_project import lint, package, run, write

from sls_ml.intent import alarms
from sls_ml.intent.model import Function
from sls_ml.provider import aws
from sls_ml.spec.model import Alarms, Canary, Concurrency, Http, Rollout
from validators import judge


def watched() -> Function:
    """A function with the alarms and charts that it has under `sls-ml deploy`."""
    told = alarms.http_alarms(Alarms(), Concurrency())
    return function(style="chalice", http=Http(auth="public"), alarms=tuple(told), charts=alarms.charts(None))


def packaged(project: Path) -> dict[str, Any]:
    """The resources of what `chalice package` makes with the template to merge, as SAM turns it out."""
    words = ("--merge-template", ".chalice/merge-dev.json")
    done = run(project, "package", "--stage", "dev", *words, "out")
    assert done.returncode == 0, done.stderr
    assert lint(project / "out" / "sam.json") == ""
    sam = project / "out" / "sam.json"
    uploaded = project / "out" / "uploaded.json"  # as `aws cloudformation package` leaves it
    uploaded.write_text(sam.read_text("utf-8").replace("./deployment.zip", "s3://bucket/deployment.zip"))
    said = judge(templates=[str(sam)], translate=[str(uploaded)])
    assert said["templates"] == {str(sam): ""}
    resources: dict[str, Any] = said["translated"][str(uploaded)]["Resources"]
    return resources


@pytest.mark.parametrize(
    ("canary", "steps"),
    [
        (Canary(percent=10, minutes=5), "CodeDeployDefault.LambdaCanary10Percent5Minutes"),
        (Canary(percent=20, minutes=7), {"Ref": "RolloutSteps"}),
    ],
)
def test_the_merged_template_has_what_sam_can_say(tmp_path: Path, canary: Canary, steps: Any) -> None:
    # GIVEN a function with a canary, and somebody to notify
    what = watched()
    project = write(
        tmp_path, what, deployed=replace(deployment(what), rollout=Rollout(canary=canary), notify=("a@b.c",))
    )
    # WHEN it is packaged and merged THEN SAM makes an alias of it, whose traffic CodeDeploy moves
    resources = packaged(project)
    alias = resources["APIHandlerAliaslive"]
    assert alias["Properties"]["Name"] == "live"
    assert "CodeDeployLambdaAliasUpdate" in alias["UpdatePolicy"]
    group = resources["APIHandlerDeploymentGroup"]["Properties"]
    assert group["DeploymentConfigName"] == steps
    stops = {alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]}
    assert stops == {"PredictFailedAlarm", "PredictFailedStartsAlarm"}
    # AND every route calls the alias, which may be called
    paths = resources["RestAPI"]["Properties"]["Body"]["paths"]
    called = {
        json.dumps(method["x-amazon-apigateway-integration"]["uri"])
        for methods in paths.values()
        for method in methods.values()
    }
    (uri,) = called
    assert "${APIHandlerAliaslive}/invocations" in uri
    assert all(
        set(method) > {"x-amazon-apigateway-integration"} for m in paths.values() for method in m.values()
    )
    permission = resources["APIHandlerAliasInvokePermission"]["Properties"]
    assert permission["FunctionName"] == {"Ref": "APIHandlerAliaslive"}
    # AND the alarms and the dashboard are about this function, by the name that it has here
    found = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(found) == len(what.alarms)
    assert all(each["AlarmName"].startswith("risk-predict-dev-") for each in found)
    assert all(each["AlarmActions"] == [{"Ref": "AlarmTopic"}] for each in found)
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    assert "sls-ml-risk-dev" not in json.dumps(found) + body
    assert "/aws/lambda/risk-predict-dev" in body


def test_chalice_and_our_template_say_the_same_of_a_function(tmp_path: Path) -> None:
    # GIVEN a function that is packaged by Chalice, and rendered by us
    what = replace(watched(), concurrency=Concurrency(reserved=7), environment={"GREETING": "hello"})
    project = write(tmp_path, what)
    resources = packaged(project)
    theirs = resources["APIHandler"]["Properties"]
    built = package(tmp_path / "generated-dev" / "risk" / "aws" / "predict")
    rendered = aws.render(deployment(what), {"predict": built})
    template = json.loads(rendered.template)["Resources"]
    ours = template["PredictFunction"]["Properties"]
    # THEN both have the same size, time, processor, limit and log format
    for name in ("MemorySize", "Timeout", "Architectures", "ReservedConcurrentExecutions"):
        assert theirs[name] == ours[name], name
    assert theirs["LoggingConfig"]["LogFormat"] == ours["LoggingConfig"]["LogFormat"]
    # AND the Python that the project asks for is the one of ours
    assert ours["Runtime"] == f"python{(project / '.python-version').read_text().strip()}"
    # AND the same environment, but for what a model that rides in the package needs not, and `releases` reads
    variables = dict(ours["Environment"]["Variables"])
    del variables["SLS_ML_STORE"]
    del variables["SLS_ML_MODELS"]
    assert theirs["Environment"]["Variables"] == variables
    # AND the log group, the alarms and the retention are the same but for the name of the function
    for mine, other in (
        ("PredictLogGroup", "APIHandlerLogGroup"),
        ("PredictFailedAlarm", "PredictFailedAlarm"),
    ):
        text = json.dumps(template[mine]["Properties"], sort_keys=True)
        renamed = text.replace("sls-ml-risk-dev-predict", "risk-predict-dev")
        assert json.loads(renamed) == resources[other]["Properties"]
    # AND the role may do the same, but for making its log group, which under sls-ml the stack does
    (granted,) = template[ours["Role"]["Fn::GetAtt"][0]]["Properties"]["Policies"]
    (document,) = resources["ApiHandlerRole"]["Properties"]["Policies"]
    mine = {each["Sid"]: set(each["Action"]) for each in granted["PolicyDocument"]["Statement"]}
    others = {each["Sid"]: set(each["Action"]) for each in document["PolicyDocument"]["Statement"]}
    others["WriteLogs"].remove("logs:CreateLogGroup")
    assert others == mine
