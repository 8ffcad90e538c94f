"""Generated function code: what is in it, byte for byte, and how it is kept fresh."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from tests.unit.codegen.conftest import batch, deployment, function, model

from sls_ml import codegen
from sls_ml.codegen.folder import MODULES
from sls_ml.codegen.functions import USERS_OWN
from sls_ml.codegen.pins import TARGETS
from sls_ml.errors import StaleError
from sls_ml.intent.model import Function
from sls_ml.provider import aws
from sls_ml.runtime_tree import runtime_digest
from sls_ml.spec.model import Http

Generated = Callable[..., dict[str, bytes]]

CASES: dict[str, tuple[tuple[Function, ...], bool]] = {
    "http": ((function(),), False),
    "http-powertools": ((function(observability="powertools", models=(model(engine="lite"),)),), False),
    "http-chalice": ((function(style="chalice", models=(model(engine="lite"),)),), False),
    "http-chalice-public": (
        (
            function(
                style="chalice",
                http=Http(auth="public", cors=("https://example.org",)),
                models=(model(engine="lite"),),
            ),
        ),
        False,
    ),
    "objects": ((function("score", batch=batch(), timeout=300),), False),
    "two-models-vendored": (
        (
            function(
                http=Http(cors=("https://example.org",), max_rows=10, max_body=1024),
                models=(model("a", engine="lite"), model("b", engine="ort_python", bundled=False)),
            ),
        ),
        True,
    ),
}


def paths(files: dict[str, bytes]) -> dict[PurePosixPath, bytes]:
    return {PurePosixPath(path): content for path, content in files.items()}


@pytest.mark.parametrize("case", CASES)
def test_golden_generated_folders(
    generated: Generated, golden: Callable[[str, str], None], case: str
) -> None:
    # GIVEN a deployment
    functions, vendor = CASES[case]
    # WHEN its code is generated
    files = generated(*functions, vendor=vendor)
    # THEN it is the checked-in folder, byte for byte, and no file more
    golden(f"codegen/{case}/FILES", "".join(f"{path}\n" for path in files))
    for path, content in files.items():
        golden(f"codegen/{case}/{path}", content.decode())


@pytest.mark.parametrize("case", CASES)
def test_generated_code_satisfies_the_linter_and_has_no_holes_left(
    generated: Generated, tmp_path: Path, case: str
) -> None:
    # GIVEN generated code in a folder
    functions, vendor = CASES[case]
    files = paths(generated(*functions, vendor=vendor))
    codegen.write(files, tmp_path)
    # WHEN it is linted with ruff's own defaults, and read
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "110", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    # THEN nothing is found
    assert done.returncode == 0, done.stdout
    for path, content in files.items():
        if path.suffix == ".py":
            ast.parse(content)
            assert b"$" not in content


def test_the_digest_names_what_a_function_is_made_from(generated: Generated, runtime_root: Path) -> None:
    # GIVEN two functions
    pattern = re.compile(rb"sha256:([0-9a-f]{64})")

    def digests() -> list[bytes]:
        files = generated(function("one"), function("two", http=Http(max_rows=rows)))
        return [pattern.findall(files[f"risk/aws/{name}/handler.py"])[0] for name in ("one", "two")]

    rows = 10
    first = digests()
    assert digests() == first
    # WHEN the settings of one change
    rows = 11
    second = digests()
    # THEN its digest alone changes
    assert second[0] == first[0]
    assert second[1] != first[1]
    # AND a change of the runtime changes both
    (runtime_root / "engines" / "lite.py").write_text("# changed\n")
    assert set(digests()).isdisjoint(second)


def test_hooks_are_written_once_and_then_the_users_own(generated: Generated, tmp_path: Path) -> None:
    # GIVEN a written folder where the user changed hooks.py and added a file
    files = paths(generated(function()))
    assert codegen.write(files, tmp_path) == tuple(files)
    hooks = tmp_path / "risk" / "aws" / "predict" / "hooks.py"
    hooks.write_text("def before(rows): return rows\n")
    (hooks.parent / "lookup.csv").write_text("mine\n")
    # WHEN it is checked and written again
    # THEN both are fresh, and stay as they are
    assert codegen.check(files, tmp_path) == ()
    assert codegen.write(files, tmp_path) == ()
    assert hooks.read_text() == "def before(rows): return rows\n"
    assert (hooks.parent / "lookup.csv").read_text() == "mine\n"


def test_an_edited_or_missing_file_is_stale_and_named(generated: Generated, tmp_path: Path) -> None:
    # GIVEN a written folder with an edited handler and no config
    files = paths(generated(function()))
    codegen.write(files, tmp_path)
    folder = tmp_path / "risk" / "aws" / "predict"
    (folder / "handler.py").write_text("edited")
    (folder / "config.json").unlink()
    # WHEN freshness is required
    with pytest.raises(StaleError) as caught:
        codegen.require_fresh(files, tmp_path)
    # THEN both are named, with the way out
    assert caught.value.where == f"{folder / 'config.json'}, {folder / 'handler.py'}"
    assert "sls-ml generate" in str(caught.value.mend)
    # AND writing mends exactly these
    written = codegen.write(files, tmp_path)
    assert [path.name for path in written] == ["config.json", "handler.py"]
    codegen.require_fresh(files, tmp_path)


def test_a_vendored_runtime_is_copied_whole_and_leftovers_go(
    generated: Generated, tmp_path: Path, runtime_root: Path
) -> None:
    # GIVEN a vendored runtime with a module of an older version, and bytecode
    files = paths(generated(function(), vendor=True))
    target = tmp_path / "handlers"
    codegen.write(files, target)
    vendored = target / "risk" / "aws" / "sls_ml_runtime"
    (vendored / "engines" / "__pycache__").mkdir()
    (vendored / "engines" / "__pycache__" / "old.cpython-313.pyc").write_bytes(b"")
    assert codegen.check(files, target) == ()
    assert runtime_digest(vendored) == runtime_digest(runtime_root)
    (vendored / "engines" / "old.py").write_text("")
    # WHEN it is checked and written
    # THEN the leftover is stale, and removed
    assert [path.name for path in codegen.check(files, target)] == ["old.py"]
    codegen.write(files, target)
    assert not (vendored / "engines" / "old.py").exists()
    assert runtime_digest(vendored) == runtime_digest(runtime_root)


def test_another_style_leaves_nothing_of_the_one_before_but_the_users_own(
    generated: Generated, tmp_path: Path
) -> None:
    # GIVEN a Chalice function with an app of the user's, a module of theirs and a copy of one
    chalice = paths(generated(function(style="chalice", models=(model(engine="lite"),))))
    codegen.write(chalice, tmp_path)
    folder = tmp_path / "risk" / "aws" / "predict"
    (folder / "app.py").write_text("# mine\n")
    (folder / "chalicelib" / "own.py").write_text("")
    shutil.copy(folder / "chalicelib" / "model.py", folder / "chalicelib" / "before.py")
    # WHEN it becomes a plain function
    plain = paths(generated(function(models=(model(engine="lite"),))))
    stale = codegen.check(plain, tmp_path)
    # THEN what was generated is stale, and goes; all else stays
    gone = {path.relative_to("risk/aws/predict").as_posix() for path in set(stale) - set(plain)}
    assert gone == {"chalicelib/__init__.py", "chalicelib/model.py"}
    codegen.write(plain, tmp_path)
    assert codegen.check(plain, tmp_path) == ()
    assert (folder / "app.py").read_text() == "# mine\n"
    assert {file.name for file in (folder / "chalicelib").iterdir()} == {"own.py", "before.py"}


def test_a_function_that_is_gone_leaves_the_users_hooks(generated: Generated, tmp_path: Path) -> None:
    # GIVEN two functions, a folder of the user's beside them, and the runtime
    codegen.write(paths(generated(function(), function("other"), vendor=True)), tmp_path)
    base = tmp_path / "risk" / "aws"
    (base / "mine").mkdir()
    for name in ("config.json", "handler.py"):
        (base / "mine" / name).write_text("{}")
    (base / "other" / "hooks.py").write_text("# mine\n")
    (base / "sls_ml_runtime" / "__pycache__").mkdir()
    (base / "sls_ml_runtime" / "__pycache__" / "aws.cpython-313.pyc").write_bytes(b"")
    # WHEN one goes, and the runtime is vendored no more
    codegen.write(paths(generated(function())), tmp_path)
    # THEN of both nothing is left but what the user may have changed
    assert {file.name for file in base.iterdir()} == {"mine", "other", "predict"}
    assert [file.name for file in (base / "other").iterdir()] == ["hooks.py"]
    assert {file.name for file in (base / "mine").iterdir()} == {"config.json", "handler.py"}


@pytest.mark.parametrize("case", CASES)
def test_every_generated_module_is_known_as_one(generated: Generated, case: str) -> None:
    # GIVEN the files of a style
    functions, _ = CASES[case]
    made = {"/".join(PurePosixPath(path).parts[3:]): text for path, text in generated(*functions).items()}
    # THEN its modules are those that may be removed, and say that they are generated
    modules = {name: text for name, text in made.items() if name.endswith(".py") and name not in USERS_OWN}
    assert set(modules) <= set(MODULES)
    assert all(re.search(rb"^# Inputs: sha256:[0-9a-f]{64}$", text, re.M) for text in modules.values())


def test_config_says_nothing_of_stage_or_store(generated: Generated) -> None:
    # GIVEN a function that fetches its model
    config = generated(function(models=(model(bundled=False),)))["risk/aws/predict/config.json"]
    # THEN its settings hold for every stage
    assert b"s3://" not in config
    assert b"dev" not in config
    assert json.loads(config)["models"]["credit"]["bundled"] is False


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (function(models=(model(engine="lite"),)), []),
        (function(), ["onnxruntime"]),
        (function(models=(model(engine="ort_python"),)), ["numpy", "onnxruntime"]),
        (
            function(models=(model(engine="lite"),), observability="powertools"),
            ["aws-lambda-powertools", "jmespath", "typing-extensions"],
        ),
        (function(models=(model(engine="lite"),), style="chalice"), ["chalice"]),
        (
            function("score", batch=batch()),
            ["onnxruntime", "aws-lambda-powertools", "jmespath", "typing-extensions"],
        ),
    ],
)
def test_pins_are_exact_hashed_and_no_more_than_needed(function: Function, names: list[str]) -> None:
    # GIVEN a function with an engine
    # WHEN its requirements are written
    text = aws.requirements(deployment(function))[function.name]
    # THEN each package has one version, and a hash for every target's wheel
    assert re.findall(r"^([a-z-]+)==\d\S+ \\$", text, re.M) == names
    for block in re.split(r"^(?=[a-z])", text, flags=re.M)[1:]:
        count = len(re.findall(r"--hash=sha256:[0-9a-f]{64}", block))
        assert count >= (len(TARGETS) if block.startswith(("numpy", "onnxruntime")) else 1)


def test_what_is_written_once_is_what_codegen_never_touches_again() -> None:
    # GIVEN all templates of AWS
    chosen = aws.sources(deployment(function(style="chalice"), function("score", batch=batch())))
    # THEN both mean the same files
    assert {path.name for path, template in chosen.items() if template.once} == codegen.USERS_OWN
