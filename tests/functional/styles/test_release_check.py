"""The check before a release, asked of functions of every style as they are generated."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import boto3
import pytest
from tests.functional.styles.conftest import ARTIFACT, CONTEXT, Handler, deployment, function

from sls_ml.artifact import load
from sls_ml.intent.model import Function, ModelRef
from sls_ml.package.model import Package
from sls_ml.provider import aws
from sls_ml.spec.model import Canary, Rollout

HOOKS = """
def after(result):
    return {"digest": result["digest"], "letter": "Dear Sir or Madam"}
"""
BROKEN = """
def after(result):
    raise RuntimeError("no answer")
"""


class Account:
    """Lambda with one function, and CodeDeploy, as far as the check asks them."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.verdict = ""

    def invoke(self, *, Payload: str, **_: Any) -> dict[str, Any]:  # noqa: N803 - boto3's name
        """Call the function."""
        result = self._handler(json.loads(Payload), CONTEXT)
        return {"Payload": io.BytesIO(json.dumps(result).encode())}

    def put_lifecycle_event_hook_execution_status(self, *, status: str, **_: Any) -> None:
        """Take the verdict."""
        self.verdict = status


def checked(what: Function, handler: Handler, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """The verdict of a function's check on a handler, and what was wrong."""
    built = Package(
        "predict", "zip", ARTIFACT, "0" * 64, 1, 1, "3.13", "x86_64", "any", None, None, (), (), ()
    )
    release = replace(deployment(what), rollout=Rollout(canary=Canary(percent=10, minutes=10)))
    found = json.loads(aws.render(release, {"predict": built}).template)["Resources"]
    account = Account(handler)
    monkeypatch.setattr(boto3, "client", lambda *_, **__: account)
    monkeypatch.setenv("VERSION", "3")
    module: dict[str, Any] = {"__name__": "index"}
    code = found["PredictCheck"]["Properties"]["Code"]["ZipFile"]
    exec(compile(code, "index.py", "exec"), module)  # noqa: S102 - the code under test
    wrong = module["handler"]({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "e"}, None)["wrong"]
    return account.verdict, wrong


def model() -> ModelRef:
    """The model of these tests, with the answers of its artifact."""
    (known,) = function().models
    answer = load(ARTIFACT).predict(known.manifest["example"], engine="lite")
    keys = [output["key"] for output in known.manifest["outputs"]]
    return replace(known, answers={key: answer[key] for key in keys})


@pytest.mark.parametrize(
    "style",
    [{}, {"observability": "powertools"}, {"style": "chalice"}],
    ids=["native", "powertools", "chalice"],
)
def test_answers_are_compared_before_hooks(
    start: Callable[..., Handler], monkeypatch: pytest.MonkeyPatch, style: dict[str, Any]
) -> None:
    # GIVEN a release whose hooks change answers on purpose, and one whose hooks fail
    right = function(models=(model(),), **style)
    # WHEN each is checked
    # THEN the first passes, the second does not
    assert checked(right, start(hooks=HOOKS, **style), monkeypatch) == ("Succeeded", [])
    verdict, wrong = checked(right, start(hooks=BROKEN, **style), monkeypatch)
    assert (verdict, wrong) == ("Failed", ["/predict: status 500"])


def test_a_model_that_answers_otherwise_is_refused(
    start: Callable[..., Handler], monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a release with the right digest, whose engine computes something else than when it was converted
    known = model()
    shifted = {
        key: [row if isinstance(row, str) else [value + 0.001 for value in row] for row in rows]
        for key, rows in known.answers.items()
    }
    # WHEN it is checked
    wrong = function(models=(replace(known, answers=shifted),))
    verdict, said = checked(wrong, start(hooks=HOOKS), monkeypatch)
    # THEN no traffic goes there, whatever hooks make of the answers
    assert verdict == "Failed"
    assert said[0] == "linear-1: wrong probability of example row 0"
