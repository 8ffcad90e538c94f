"""What sls-ml says when it is given bad input: one clear message each, held as a golden."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier

from command_line import ROOT, Done, run

Message = Callable[[str, Done], None]


def edit(project: Path, old: str, new: str) -> None:
    """Change the spec in one place."""
    spec = project / "sls-ml.yaml"
    text = spec.read_text()
    assert old in text
    spec.write_text(text.replace(old, new))


def test_golden_five_mistakes_in_a_spec(project: Path, message: Message) -> None:
    # GIVEN a spec with five mistakes
    (project / "sls-ml.yaml").write_text(
        "project: Fruit\n"
        "regoin: eu-west-1\n"
        "models:\n"
        "  ripe: {source: model.skops}\n"
        "functions:\n"
        "  predict: {model: rype, http: {auth: oidc}, memory: 64}\n"
    )
    # THEN all of them are said at once, with line, key and what is allowed
    done = run(project, "plan", "--stage", "local")
    assert done.code == 3
    message("spec-mistakes", done)


def test_golden_no_spec(tmp_path: Path, message: Message) -> None:
    done = run(tmp_path, "deploy")
    assert done.code == 3
    message("spec-missing", done)


def test_golden_an_unknown_stage(project: Path, message: Message) -> None:
    with (project / "sls-ml.yaml").open("a") as spec:
        spec.write("stages: {staging: {}, prod: {}}\n")
    done = run(project, "plan", "--stage", "stagin")
    assert done.code == 2
    message("stage-unknown", done)


def test_golden_several_stages_and_none_chosen(project: Path, message: Message) -> None:
    with (project / "sls-ml.yaml").open("a") as spec:
        spec.write("stages: {staging: {}, prod: {}}\n")
    done = run(project, "deploy")
    assert done.code == 2
    message("stage-missing", done)


def test_golden_a_sample_without_a_column(project: Path, message: Message) -> None:
    # GIVEN a sample that lacks a column of the model
    (project / "sample.csv").write_text("id,weight,colour\n1,0.5,0.1\n2,0.1,0.7\n")
    done = run(project, "convert")
    assert done.code == 9
    message("sample-columns", done)


def test_golden_a_sample_of_text(project: Path, message: Message) -> None:
    # GIVEN a sample with text where the model takes numbers
    (project / "sample.csv").write_text("weight,colour,sugar\nheavy,red,sweet\nlight,green,sour\n")
    done = run(project, "convert")
    assert done.code == 9
    message("sample-text", done)


@pytest.mark.parametrize(
    ("mistake", "content"),
    [
        ("separator", b"weight;colour;sugar\n0,5;0,1;0,2\n"),
        ("tabs", b"weight\tcolour\tsugar\n0.5\t0.1\t0.2\n"),
        ("encoding", "weight,colour,sugar,città\n0.5,0.1,0.2,Forlì\n".encode("latin-1")),
        ("header", b"0.5,0.1,0.2\n0.4,0.1,0.3\n"),
        ("empty", b""),
        ("no-rows", b"weight,colour,sugar\n"),
        ("spelling", b"Weight,colour,sugar\n0.5,0.1,0.2\n"),
        ("ragged", b"weight,colour,sugar\n0.5,0.1\n0.1,0.2,0.3,0.4,0.5\n"),
    ],
)
def test_golden_a_sample_that_was_saved_otherwise(
    project: Path, message: Message, mistake: str, content: bytes
) -> None:
    # GIVEN a sample as spreadsheets and other programs write it
    (project / "sample.csv").write_bytes(content)
    # THEN what is wrong is said, and how to save it
    done = run(project, "convert")
    assert done.code == 9
    message(f"sample-{mistake}", done)


@pytest.mark.parametrize(
    "content", [b"weight,colour,sugar\n0.5,0.1,0.2\n", b"\xef\xbb\xbfweight,colour,sugar\n1,1,1\n"]
)
def test_one_row_is_a_sample_and_a_mark_at_the_begin_does_no_harm(project: Path, content: bytes) -> None:
    (project / "sample.csv").write_bytes(content)
    assert run(project, "convert").code == 0


@pytest.mark.parametrize("suffix", [".skops", ".joblib", ".pkl"])
def test_golden_a_corrupt_model(project: Path, message: Message, suffix: str) -> None:
    # GIVEN a model file that was cut short
    whole = (project / "model.skops").read_bytes()
    (project / f"broken{suffix}").write_bytes(
        whole[: len(whole) // 2] if suffix == ".skops" else b"\x80\x04\x95"
    )
    edit(project, "{source: model.skops, sample", f"{{source: broken{suffix}, trust: true, sample")
    done = run(project, "convert")
    assert done.code == 9
    message(f"model-corrupt{suffix.replace('.', '-')}", done)


def test_golden_a_pickle_without_trust(project: Path, models: Path, message: Message) -> None:
    (project / "model.joblib").write_bytes((models / "model.joblib").read_bytes())
    edit(project, "model.skops", "model.joblib")
    done = run(project, "convert")
    assert done.code == 9
    message("model-untrusted", done)


def test_golden_an_estimator_that_does_not_convert(project: Path, models: Path, message: Message) -> None:
    # GIVEN a pipeline one step of which has no ONNX form
    (project / "unfolds.joblib").write_bytes((models / "unfolds.joblib").read_bytes())
    edit(project, "{source: model.skops, sample", "{source: unfolds.joblib, trust: true, sample")
    # THEN the step is named, with a way out
    done = run(project, "convert")
    assert done.code == 9
    message("estimator-unsupported", done)


def test_golden_a_missing_model_file(project: Path, message: Message) -> None:
    (project / "model.skops").unlink()
    done = run(project, "deploy", "--stage", "local")
    assert done.code == 9
    message("source-missing", done)


@pytest.mark.parametrize(
    ("module", "words"),
    [("skl2onnx", ["convert"]), ("boto3", ["status"]), ("moto", ["status", "--stage", "local"])],
)
def test_golden_a_missing_extra(
    project: Path, tmp_path: Path, message: Message, module: str, words: list[str]
) -> None:
    # GIVEN an installation without an extra
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{module!r}] = None\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT / 'framework'}", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "sls_ml", *words],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # THEN the command that installs it is said
    assert done.returncode == 8
    message(f"extra-missing-{module}", Done(done.returncode, done.stdout, done.stderr))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("function-unknown", ["invoke", "predcit", "--sample", "1"]),
        ("function-unknown-package", ["package", "scorer"]),
        ("model-unknown", ["convert", "rip"]),
        ("rows-not-json", ["invoke", "predict", "--rows", "{weight: 1}"]),
        ("rows-file-missing", ["invoke", "predict", "--rows", "@rows.json"]),
        ("rows-missing", ["invoke", "predict"]),
        ("command-unknown", ["deplyo"]),
        ("not-announceable", ["announce", "gs://bucket"]),
    ],
)
def test_golden_what_a_user_mistypes(project: Path, message: Message, name: str, words: list[str]) -> None:
    done = run(project, *words)
    assert done.code == 2
    message(name, done)


def test_golden_a_joined_column_called_like_a_result(project: Path, message: Message) -> None:
    edit(project, "join: [id]", "join: [label]")
    done = run(project, "generate")
    assert done.code == 3
    message("join-taken", done)


def test_golden_a_frozen_deploy_of_nothing(project: Path, message: Message) -> None:
    done = run(project, "deploy", "--frozen", "--stage", "local")
    assert done.code == 5
    message("handlers-missing", done)


def test_golden_a_project_that_exists(project: Path, message: Message) -> None:
    before = (project / "sls-ml.yaml").read_bytes()
    done = run(project, "init", "--model", "model.skops", "--sample", "sample.csv")
    assert done.code == 2
    assert (project / "sls-ml.yaml").read_bytes() == before
    message("spec-exists", done)


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("init-no-model", ["--model", "modle.skops", "--sample", "sample.csv"], 2),
        ("init-swapped", ["--model", "sample.csv", "--sample", "model.skops"], 2),
        ("init-spreadsheet", ["--model", "model.skops", "--sample", "sample.xlsx"], 2),
        ("init-pickle", ["--model", "unfolds.joblib", "--sample", "sample.csv"], 0),
        ("init-doubtful", ["--model", "forest.skops", "--sample", "sample.csv"], 0),
    ],
)
def test_golden_beginning_a_project(
    models: Path, tmp_path: Path, message: Message, name: str, words: list[str], code: int
) -> None:
    # GIVEN a folder with files of a user, some of which need the user's word before they are loaded
    for file in ("model.skops", "sample.csv", "unfolds.joblib"):
        (tmp_path / file).write_bytes((models / file).read_bytes())
    (tmp_path / "sample.xlsx").write_bytes(b"PK")
    rows = [[0.0, 1.0, 2.0], [1.0, 0.0, 1.0]]
    skops.io.dump(RandomForestClassifier(2, random_state=0).fit(rows, [0, 1]), tmp_path / "forest.skops")
    # THEN what is wrong, or what is left to say, is said
    done = run(tmp_path, "init", *words, "--name", "fruit", stdin="")
    assert done.code == code
    message(name, done)
    # THEN with the user's word nothing is left to say
    if code == 0:
        (tmp_path / "sls-ml.yaml").unlink()
        trusted = run(tmp_path, "init", *words, "--trust", stdin="")
        assert "trust: true" not in trusted.err
        assert "trust: true" in (tmp_path / "sls-ml.yaml").read_text()


def test_golden_a_full_disk_is_said_and_mended_by_a_second_run(project: Path, message: Message) -> None:
    # GIVEN a machine on which no file may grow beyond half a kilobyte
    limited = ["sh", "-c", f'ulimit -f 1; exec "{sys.executable}" -B -m sls_ml generate']
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "framework"), "NO_COLOR": "1"}
    done = subprocess.run(
        limited, cwd=project, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    # THEN it is said
    assert done.returncode == 8
    message("disk-full", Done(done.returncode, done.stdout, done.stderr))
    # WHEN there is room again
    # THEN the same command goes through, and everything is whole
    assert run(project, "generate").code == 0
    checked = run(project, "generate", "--check")
    assert checked.code == 0, checked.err
    for hooks in project.glob("handlers/fruit/aws/*/hooks.py"):
        compile(hooks.read_text(), str(hooks), "exec")


def test_an_artifact_that_lost_a_file_is_made_again(project: Path) -> None:
    # GIVEN a converted model whose graph was cut short afterwards
    assert run(project, "convert").code == 0
    (graph,) = project.glob("artifacts/ripe/*/model.onnx")
    whole = graph.read_bytes()
    graph.write_bytes(whole[:100])
    # WHEN it is converted
    done = run(project, "convert", "--json")
    # THEN it is whole again, at the same address
    assert done.code == 0
    assert done.document["models"]["ripe"]["converted"] is True
    assert graph.read_bytes() == whole
