"""A function's folder becomes a zip: what is in it, for whom, and when it is built anew."""

from __future__ import annotations

import os
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from sls_ml.errors import ArtifactError, SpecError, StaleError, UnsupportedError
from sls_ml.package import interpreters
from sls_ml.package.model import Package

from .conftest import MARKUPSAFE, NUMPY, ONNXRUNTIME, RUNTIME


def names(package: Package) -> list[str]:
    return [file.path for file in package.files]


compiles = pytest.mark.skipif(interpreters.find("3.13") is None, reason="Python 3.13 is not installed")


def unpack(package: Package, folder: Path) -> Path:
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(folder)
    return folder


def run(python: str, folder: Path, program: str) -> str:
    interpreter = interpreters.find(python)
    if interpreter is None:
        pytest.skip(f"Python {python} is not installed")
    done = subprocess.run(
        [interpreter.executable, "-S", "-B", "-c", program],
        cwd=folder,
        env={"ORT_DISABLE_TELEMETRY": "1", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_same_content_gives_same_bytes(make):
    # GIVEN the same function in two folders, with other times and permissions, and two caches
    one, two = make("one", requirements=MARKUPSAFE), make("two", requirements=MARKUPSAFE)
    os.utime(two.source / "hooks.py", (1, 1))
    (two.source / "handler.py").chmod(0o600)
    # WHEN both are built
    first, second = one.build(), two.build()
    # THEN not a byte differs
    assert first.path != second.path
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256


@compiles
def test_zip_says_nothing_of_time_and_machine(make, tmp_path, monkeypatch):
    # GIVEN a folder for temporary files that no other file names
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    # WHEN a function is built
    built = make(requirements=MARKUPSAFE).build()
    # THEN every entry has the same time, plain modes, and no path of this machine shows in it
    with zipfile.ZipFile(built.path) as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
        assert [e.filename for e in entries] == sorted(e.filename for e in entries) == names(built)
        assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
        for entry in entries:
            expected = 0o755 if entry.filename.endswith(".so") else 0o644
            assert entry.external_attr >> 16 & 0o777 == expected
            data = archive.read(entry)
            for path in (tmp_path, RUNTIME):
                assert os.fsencode(path) not in data or entry.filename.endswith(".so")
        assert b"/var/task/handler.py" in archive.read("__pycache__/handler.cpython-313.pyc")


@compiles
def test_package_holds_function_runtime_and_artifact(make):
    # WHEN a function with the engine lite is built
    project = make()
    built = project.build()
    # THEN its code, the runtime and what the engine reads of the artifact are in it, and nothing else
    base = f"artifacts/tumour/{project.digest}"
    assert [n for n in names(built) if not n.startswith("sls_ml_runtime/")] == [
        "__pycache__/handler.cpython-313.pyc",
        "__pycache__/hooks.cpython-313.pyc",
        f"{base}/manifest.json",
        f"{base}/model.lite",
        "config.json",
        "handler.py",
        "hooks.py",
    ]
    assert "sls_ml_runtime/artifact.py" in names(built)


def test_artifact_that_is_fetched_is_not_in_the_package(make):
    # GIVEN a model that is not bundled
    project = make()
    project.configure("lite", bundled=False)
    # WHEN it is built without any artifact at hand
    built = project.build(artifacts={})
    # THEN it works, and holds none
    assert not any(name.startswith("artifacts/") for name in names(built))


def test_unchanged_function_is_not_built_again(make):
    # GIVEN a built function
    project = make()
    first = project.build()
    written = first.path.stat().st_mtime_ns
    # WHEN it is built again
    second = project.build()
    # THEN the package is the one from before
    assert second == first
    assert second.path.stat().st_mtime_ns == written


def test_edited_hooks_give_another_package(make):
    # GIVEN a built function
    project = make(requirements=MARKUPSAFE)
    first = project.build()
    kept = next((project.root / ".sls-ml/wheels").glob("*.zip"))
    written = kept.stat().st_mtime_ns
    # WHEN the user edits hooks.py
    (project.source / "hooks.py").write_text('NAME = "second"\n')
    second = project.build()
    # THEN the package is new, and the wheels were not packed again
    assert second.sha256 != first.sha256
    assert kept.stat().st_mtime_ns == written


def test_damaged_cache_is_built_anew(make):
    # GIVEN a cached package and cached wheels that lost their ends
    project = make(requirements=MARKUPSAFE)
    first = project.build()
    expected = first.path.read_bytes()
    for file in (project.root / ".sls-ml").rglob("*.zip"):
        file.write_bytes(file.read_bytes()[:-100])
    # WHEN it is built again
    second = project.build()
    # THEN the bytes are right again
    assert second.path.read_bytes() == expected


def test_cache_keeps_few_packages_of_a_function(make):
    # GIVEN a function that is edited often
    project = make()
    for number in range(11):
        (project.source / "hooks.py").write_text(f"NAME = {number}\n")
        last = project.build()
    # THEN eight packages are kept, the newest among them
    kept = sorted((project.root / ".sls-ml/packages").iterdir())
    assert len(kept) == 16
    assert last.path in kept


@pytest.mark.parametrize(
    ("python", "architecture"), [("3.13", "x86_64"), ("3.13", "arm64"), ("3.12", "x86_64")]
)
def test_wheels_are_those_of_the_target(make, python, architecture):
    # WHEN a function is built for a Python and an architecture
    built = make(requirements=MARKUPSAFE).build(python=python, architecture=architecture)
    # THEN its shared library is for both
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    library = f"markupsafe/_speedups.cpython-{python.replace('.', '')}-{machine}-linux-gnu.so"
    assert library in names(built)
    assert (built.python, built.architecture) == (python, architecture)
    assert built.platform == f"{machine}-manylinux_2_34"


def test_local_platform_takes_the_place_of_the_function_s(make):
    # WHEN a package is built for a platform that is named
    built = make(requirements=MARKUPSAFE).build(architecture="arm64", platform="x86_64-manylinux_2_28")
    # THEN the package is for that
    assert built.architecture == "x86_64"
    assert "markupsafe/_speedups.cpython-313-x86_64-linux-gnu.so" in names(built)


def test_what_functions_never_read_is_left_out_and_listed(make):
    # WHEN a wheel with stubs, C sources and installer's notes is packaged
    built = make(requirements=MARKUPSAFE).build()
    # THEN they are left out, each with its reason and size
    pruned = {file.path: file for file in built.pruned}
    stub = pruned["markupsafe/_speedups.pyi"]
    assert (stub.origin, stub.why) == ("markupsafe 3.0.3", "type stubs")
    assert stub.bytes > 0
    assert "markupsafe-3.0.3.dist-info/RECORD" in pruned
    assert not set(pruned) & set(names(built))
    assert "markupsafe-3.0.3.dist-info/licenses/LICENSE.txt" in names(built)


@pytest.mark.parametrize("python", ["3.12", "3.13"])
def test_bytecode_is_used_as_it_is(make, python, tmp_path):
    # GIVEN an unpacked package whose generated and third-party sources were changed after
    project = make(requirements=MARKUPSAFE)
    folder = unpack(project.build(python=python), tmp_path / "task")
    for source in ("markupsafe/__init__.py", "handler.py", "sls_ml_runtime/artifact.py"):
        (folder / source).write_text("raise SystemExit('compiled again')\n")
    # THEN the function's Python takes their bytecode without a look at the sources
    program = "import handler, markupsafe, sls_ml_runtime.artifact; print(handler.handler({}, None))"
    assert run(python, folder, program) == "first"


def test_bytecode_of_the_runtime_carries_no_docstrings(make, tmp_path):
    # GIVEN an unpacked package
    folder = unpack(make().build(), tmp_path / "task")
    # THEN the runtime's bytecode has no docstrings; they are in the sources beside it
    program = "import sls_ml_runtime.artifact as ours; print(ours.__doc__, ours.open_folder.__doc__)"
    assert run("3.13", folder, program) == "None None"
    assert (folder / "sls_ml_runtime/artifact.py").read_text().startswith('"""')


def test_bytecode_of_the_user_s_files_follows_their_sources(make, tmp_path):
    # GIVEN an unpacked package in which hooks.py is edited
    folder = unpack(make().build(), tmp_path / "task")
    (folder / "hooks.py").write_text('NAME = "edited"\n')
    # THEN the edit counts
    assert run("3.13", folder, "import handler; print(handler.handler({}, None))") == "edited"


@compiles
def test_hooks_that_are_no_python_are_named(make):
    # GIVEN a mistake in hooks.py
    project = make()
    (project.source / "hooks.py").write_text("def before(rows:\n")
    # WHEN the function is built
    with pytest.raises(SpecError, match=r"hooks.py is not valid Python") as caught:
        project.build()
    # THEN the file and the line are named
    assert str(caught.value.where).endswith("hooks.py")
    assert "line 1" in str(caught.value.why)


def test_without_the_function_s_python_there_is_a_warning(make, monkeypatch):
    # GIVEN a machine without the function's Python
    monkeypatch.setattr(interpreters, "find", lambda _: None)
    # WHEN the function is built
    built = make().build()
    # THEN the package works without bytecode, and says what that costs and how to change it
    assert not any(name.endswith(".pyc") for name in names(built))
    assert built.bytecode is None
    assert "uv python install 3.13" in built.warnings[0]


def test_runtime_other_than_the_pinned_one_is_refused(make):
    # GIVEN a function that was generated for another runtime
    project = make()
    project.configure("lite", runtime="0" * 64)
    # THEN it is stale
    with pytest.raises(StaleError, match="not the one that the function was generated for"):
        project.build()


def test_changed_artifact_is_refused(make):
    # GIVEN an artifact with a changed byte
    project = make()
    (project.artifact / "model.lite").write_bytes(b"life")
    # THEN it is not packaged
    with pytest.raises(ArtifactError, match=r"model.lite is not what its digest says"):
        project.build()


def test_missing_artifact_says_how_to_get_it(make):
    # GIVEN a bundled artifact that is not there
    project = make()
    # WHEN the function is built
    with pytest.raises(ArtifactError) as caught:
        project.build(artifacts={})
    # THEN the error says how to get it
    assert "sls-ml convert" in str(caught.value.mend)


@pytest.mark.parametrize("file", ["config.json", "requirements.txt"])
def test_folder_that_was_not_generated_is_refused(make, file):
    # GIVEN a folder without one of the generated files
    project = make()
    (project.source / file).unlink()
    # WHEN the function is built
    with pytest.raises(StaleError) as caught:
        project.build()
    # THEN it is stale, and the file is named
    assert str(caught.value.where).endswith(file)
    assert caught.value.mend == "run: sls-ml generate"


def test_symbolic_link_is_refused(make):
    # GIVEN a link in the function's folder
    project = make()
    (project.source / "data").symlink_to(project.root)
    # THEN it is named instead of being followed or dropped
    with pytest.raises(UnsupportedError, match="data is a symbolic link"):
        project.build()


def test_file_in_the_place_of_a_wheel_s_is_refused(make):
    # GIVEN a file of the user's own at the path of a wheel's module
    project = make(requirements=MARKUPSAFE)
    (project.source / "markupsafe").mkdir()
    (project.source / "markupsafe/__init__.py").touch()
    # THEN neither silently wins
    with pytest.raises(SpecError, match=r"two files want to be markupsafe/__init__.py"):
        project.build()


def test_library_for_another_machine_is_refused(make):
    # GIVEN an arm64 function with an x86_64 library that the user put there
    project = make(requirements=MARKUPSAFE)
    built = project.build()
    library = next(name for name in names(built) if name.endswith(".so"))
    with zipfile.ZipFile(built.path) as archive:
        (project.source / "own.so").write_bytes(archive.read(library))
    # THEN it is named
    with pytest.raises(UnsupportedError, match=r"own.so is a library for x86_64, the function runs on arm64"):
        project.build(architecture="arm64")


def test_ort_capi_brings_the_c_library_alone(make, golden):
    # WHEN a function for the C library of onnxruntime is built
    built = make(requirements=ONNXRUNTIME, engine="ort_capi").build()
    # THEN of the wheel only the library and the licences are left
    wheel = [file for file in built.files if file.origin.startswith("onnxruntime")]
    golden("package/ort_capi.txt", "".join(f"{file.path} {file.bytes}\n" for file in wheel))
    artifact = [file.path.rpartition("/")[2] for file in built.files if file.origin == "artifact tumour"]
    assert artifact == ["manifest.json", "model.onnx"]
    assert built.bytes < 14_000_000
    assert built.glibc == "2.28"


@pytest.mark.parametrize(
    ("python", "engine", "pins"),
    [
        ("3.12", "ort_capi", (ONNXRUNTIME,)),
        ("3.13", "ort_capi", (ONNXRUNTIME,)),
        ("3.13", "ort_python", (ONNXRUNTIME, NUMPY)),
    ],
)
def test_unpacked_package_predicts(make, tmp_path, python, engine, pins):
    # GIVEN the package of a model that doubles its features
    sizes = [TensorProto.DOUBLE, [None, 2]]
    values = [helper.make_tensor_value_info(name, *sizes) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    project = make(requirements="\n".join(pins), engine=engine, onnx=model.SerializeToString())
    folder = unpack(project.build(python=python), tmp_path / "task")
    # WHEN the function's Python runs it from there, without site-packages
    program = f"""
from array import array
from sls_ml_runtime import artifact, engines
opened = artifact.open_folder("artifacts/tumour/{project.digest}", "{project.digest}")
loaded = engines.load(opened, engine="{engine}")
print(list(loaded.run([("float64", array("d", [1.5])), ("float64", array("d", [20.0]))])["y"][2]))
"""
    # THEN it predicts
    assert run(python, folder, program) == "[3.0, 40.0]"


def test_function_with_ort_capi_and_no_onnxruntime_is_refused(make):
    # GIVEN an engine whose library no pin brings
    project = make(requirements=MARKUPSAFE, engine="ort_capi")
    # THEN it would not start, so it is not built
    with pytest.raises(
        StaleError, match=r"nothing in requirements.txt brings what the engine ort_capi needs"
    ):
        project.build()
