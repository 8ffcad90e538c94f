"""Reading sls-ml.yaml: what is accepted, and how mistakes are reported."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

import sls_ml.spec
from sls_ml.errors import SpecError, UsageError
from sls_ml.spec import json_schema, read

SAMPLES = Path(__file__).parents[3] / "samples"

MINIMAL = """\
project: credit-risk
models:
  credit: {source: model.joblib, sample: holdout.csv}
functions:
  predict: {model: credit, http: {}}
"""


def spec(folder: Path, text: str) -> Path:
    file = folder / "sls-ml.yaml"
    file.write_text(text)
    return file


def test_minimal_spec_takes_the_defaults(tmp_path: Path) -> None:
    # GIVEN a spec of five lines
    file = spec(tmp_path, MINIMAL)
    # WHEN it is read
    project = read(file)
    # THEN every other key has its default
    function = project.functions["predict"]
    assert (project.stage, project.provider, project.region) == ("dev", "aws", "eu-west-1")
    assert function.http is not None
    assert (function.http.auth, function.http.max_body, function.memory) == ("iam", 4 << 20, 512)
    assert project.artifacts_folder == tmp_path / "artifacts"


def test_a_stage_overrides_single_keys(tmp_path: Path) -> None:
    # GIVEN a stage that changes one value deep inside
    file = spec(
        tmp_path,
        MINIMAL + "stages:\n  dev: {}\n  prod: {rollout: {canary: {percent: 10, minutes: 5}}, "
        "functions: {predict: {memory: 1024, timeout: 2m}}}\n",
    )
    # WHEN both stages are read
    dev, prod = read(file, "dev"), read(file, "prod")
    # THEN only that value differs, and quantities are numbers of the base unit
    assert (dev.functions["predict"].memory, prod.functions["predict"].memory) == (512, 1024)
    assert prod.functions["predict"].timeout == 120
    assert prod.functions["predict"].http == dev.functions["predict"].http
    assert dev.rollout.canary is None
    assert prod.rollout.canary is not None


@pytest.mark.parametrize("stage", ["production", None])
def test_a_stage_must_be_declared(tmp_path: Path, stage: str | None) -> None:
    # GIVEN a spec with two stages
    file = spec(tmp_path, MINIMAL + "stages: {dev: {}, prod: {}}\n")
    # WHEN an unknown one is asked for, or none
    with pytest.raises(UsageError) as caught:
        read(file, stage)
    # THEN the message lists the declared ones
    assert "dev" in str(caught.value)
    assert "prod" in str(caught.value)


def test_local_is_always_a_stage(tmp_path: Path) -> None:
    file = spec(tmp_path, MINIMAL + "stages: {dev: {}, prod: {}}\n")
    assert read(file, "local").stage == "local"


MISTAKES = {
    "many": """\
project: X
provdier: aws
models:
  credit: {source: m.joblib, sampel: a.csv}
functions:
  predict:
    model: credit
    http: {auth: publik, max_body: 4 apples}
    memory: 64
    memory: 65
rollout: {canary: {percent: 0, minutes: 5}}
stages:
  prod: {functions: {predict: {timeout: 10x}}}
""",
    "references": """\
project: credit-risk
models:
  credit: {source: m.joblib, sample: a.csv}
functions:
  predict: {model: credti, http: {}}
  both: {model: credit, models: [credit], http: {}, objects: {}}
  neither: {http: {}}
  idle: {model: credit}
  batch: {model: credit, objects: {from: incoming/, to: "s3://out/x"}}
""",
    "syntax": "project: [a\nmodels: {}\n",
    "list": "- project\n",
    "stages": MINIMAL + "stages: [dev]\n",
    "name": MINIMAL.replace("predict:", "Predict_1:"),
    "requirements": MINIMAL.replace(
        "http:", 'requirements: [six, "numpy>=2, <3", "six @ file:///six.whl", -r more.txt], http:'
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_golden_messages(tmp_path: Path, case: str, golden: Callable[[str, str], None]) -> None:
    # GIVEN a spec with mistakes
    file = spec(tmp_path, MISTAKES[case])
    # WHEN it is read
    with pytest.raises(SpecError) as caught:
        read(file, None)
    # THEN all of them are reported, with line and way out
    golden(f"spec/{case}.txt", str(caught.value).replace(str(tmp_path), "<folder>") + "\n")


def test_golden_message_of_a_missing_file(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    with pytest.raises(SpecError) as caught:
        read(tmp_path)
    golden("spec/missing.txt", str(caught.value).replace(str(tmp_path), "<folder>") + "\n")


def test_schema_accepts_every_sample() -> None:
    # GIVEN the published JSON Schema
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    # THEN every sample of ours is valid under it
    for file in sorted(SAMPLES.glob("*/sls-ml.yaml")):
        jsonschema.validate(YAML(typ="safe").load(file), schema)


def test_every_key_has_a_meaning_in_the_schema() -> None:
    # GIVEN the published JSON Schema, and the table of meanings
    schema = json_schema()
    meanings = tomllib.loads(
        (Path(sls_ml.spec.__file__).parent / "meanings.toml").read_text(encoding="utf-8")
    )
    # THEN each key of each part has its own, in one line, and no meaning is left over
    for name, part in {"Spec": schema, **schema["$defs"]}.items():
        said = {key: value["description"] for key, value in part["properties"].items()}
        assert all(text and "\n" not in text for text in said.values())
        if name != "Stage":
            assert said == meanings[name]


def test_schema_refuses_unknown_keys() -> None:
    document = YAML(typ="safe").load(MINIMAL + "memroy: 5\n")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_schema())
