"""How large answers and models may become, and who is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sls_ml.cli.limits import too_large, too_small
from sls_ml.intent.answers import largest_answer
from sls_ml.intent.model import Function, ModelRef, WriteLogs
from sls_ml.provider.aws import LIMITS
from sls_ml.spec.model import Concurrency, Http

STORE = Path(__file__).parents[2] / "golden" / "artifact" / "store"


def function(manifest: dict[str, Any], http: Http | None) -> Function:
    return Function(
        name="predict",
        models=(ModelRef("m", "0" * 64, {}, "lite", True, manifest),),
        http=http,
        batch=None,
        memory=512,
        timeout=10,
        python="3.13",
        architecture="x86_64",
        start="plain",
        concurrency=Concurrency(),
        observability="native",
        style="function",
        environment={},
        grants=(WriteLogs(),),
        log_retention=30,
    )


def manifest(of: list[Any] | None = None, **output: Any) -> dict[str, Any]:
    return {
        "classes": of or ["no", "yes"],
        "outputs": [{"tensor": "t", "columns": None, "dtype": "float64", **output}],
    }


@pytest.mark.parametrize(
    ("output", "row"),
    [
        ({"key": "label"}, len('"yes",')),
        ({"key": "label", "columns": 2, "of": [["no", "yes"], [1, 20]]}, len('"yes",') + len("20,")),
        ({"key": "value"}, 20),
        ({"key": "probability", "columns": 3}, 60),
        ({"key": "transformed", "columns": 10_000, "dtype": "float32"}, 200_000),
        ({"key": "transformed", "columns": 2, "dtype": "string"}, 64),
    ],
)
def test_an_answer_grows_with_rows_and_columns(output: dict[str, Any], row: int) -> None:
    # GIVEN an endpoint whose model has an output, for ten rows at most
    # THEN its largest answer has ten times what a row takes
    assert largest_answer(function(manifest(**output), Http(max_rows=10))) == 10 * row


@pytest.mark.parametrize("artifact", sorted(STORE.iterdir()), ids=lambda each: each.name)
def test_real_answers_are_guessed_well(artifact: Path) -> None:
    # GIVEN the manifest of an artifact, as it is stored
    (stored,) = artifact.iterdir()
    found = json.loads((stored / "manifest.json").read_text())
    # THEN there is a guess for it
    assert largest_answer(function(found, Http(max_rows=1))) > 0


def test_only_what_a_provider_does_not_carry_is_warned_of() -> None:
    # GIVEN endpoints with usual limits, with larger bodies than Lambda takes, with more columns than it sends
    usual = function(manifest(key="value"), Http())
    body = function(manifest(key="value"), Http(max_body=8 << 20))
    wide = function(manifest(key="transformed", columns=10_000), Http())
    # WHEN they are held to its limits
    said = [list(too_large(each, LIMITS)) for each in (usual, body, wide, replace(wide, http=None))]
    # THEN the second and the third are warned of
    assert said[0] == said[3] == []
    assert said[1] == ["http.max_body is 8,388,608 bytes, and no more than 6,291,456 arrive"]
    (answer,) = said[2]
    assert answer == (
        "an answer to 1,000 rows (http.max_rows) takes about 200,000,000 bytes, and no more than 6,291,456 "
        "are sent: callers must accept gzip, or send fewer rows"
    )


@pytest.mark.parametrize(
    ("engine", "opset", "megabytes", "needed"),
    [
        ("ort_capi", {"": 18, "ai.onnx.ml": 5}, 45, 560),
        ("ort_capi", {"": 18, "ai.onnx.ml": 5}, 40, None),
        ("ort_capi", {"": 18}, 45, None),
        ("ort_python", {"": 18}, 300, 682),
        ("lite", {"": 18, "ai.onnx.ml": 5}, 45, None),
    ],
)
def test_a_model_that_hardly_fits_into_the_memory_is_warned_of(
    engine: Any, opset: dict[str, int], megabytes: int, needed: int | None
) -> None:
    # GIVEN a function with 512 MB and a model
    model = ModelRef("m", "0" * 64, {"model": megabytes << 20}, engine, True, {"opset": opset})
    given = replace(function(manifest(key="value"), None), models=(model,))

    # WHEN it is planned THEN there is a warning where the model takes more
    warning = (
        f"its models may take some {needed} MB, and memory is 512: "
        "sls-ml bench memory predict measures how much they need"
    )
    assert list(too_small(given)) == ([warning] if needed else [])
