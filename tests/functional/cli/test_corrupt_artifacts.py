"""Artifacts that are not whole, as a user meets them: each is refused with what, where and how to mend it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_line import ROOT, run

KEPT = ROOT / "tests" / "golden" / "artifact" / "store"


def changed(file: Path) -> None:
    """Turn one bit over, in a byte that no JSON syntax needs."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def device(file: Path) -> None:
    """Replace a file by a link to what never ends."""
    file.unlink()
    file.symlink_to("/dev/zero")


def elsewhere(file: Path) -> None:
    """Replace a file by a link out of the store, to other bytes of the same length."""
    other = file.parents[3] / "other"
    other.write_bytes(bytes(file.stat().st_size))
    file.unlink()
    file.symlink_to(other)


def swapped(file: Path) -> None:
    """Put the same file of another artifact there."""
    (other,) = KEPT.glob(f"forest-1/*/{file.name}")
    shutil.copyfile(other, file)


DAMAGE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "graph-changed": ("model.onnx", changed, "artifact-digest"),
    "graph-cut": ("model.onnx", cut, "artifact-corrupt"),
    "graph-empty": ("model.onnx", emptied, "artifact-corrupt"),
    "graph-gone": ("model.onnx", Path.unlink, "artifact-incomplete"),
    "graph-swapped": ("model.onnx", swapped, "artifact-corrupt"),
    "graph-elsewhere": ("model.onnx", elsewhere, "artifact-digest"),
    "lite-changed": ("model.lite", changed, "artifact-digest"),
    "lite-cut": ("model.lite", cut, "artifact-corrupt"),
    "lite-device": ("model.lite", device, "artifact-incomplete"),
    "manifest-changed": ("manifest.json", changed, "artifact-digest"),
    "manifest-empty": ("manifest.json", emptied, "artifact-digest"),
    "manifest-gone": ("manifest.json", Path.unlink, "artifact-incomplete"),
    "manifest-swapped": ("manifest.json", swapped, "artifact-digest"),
}


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, models: Path, spec: str) -> Path:
    """A project that is converted, generated and packaged, so that each command finds its cache filled."""
    folder = tmp_path_factory.mktemp("converted") / "fruit"
    folder.mkdir()
    for file in ("model.skops", "sample.csv"):
        shutil.copyfile(models / file, folder / file)
    (folder / "sls-ml.yaml").write_text(spec)
    for words in (["generate"], ["package", "predict"]):
        done = run(folder, *words)
        assert done.code == 0, done.err
    return folder


@pytest.fixture
def artifact(converted: Path, tmp_path: Path) -> Path:
    """The artifact of a copy of that project."""
    copy = tmp_path / "fruit"
    shutil.copytree(converted, copy)
    (folder,) = (copy / "artifacts" / "ripe").iterdir()
    return folder


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_refused_before_anything_is_packaged(case: str, artifact: Path) -> None:
    # GIVEN a project with a package that was built before, and one file of its artifact damaged since
    file, damage, code = DAMAGE[case]
    damage(artifact / file)
    # WHEN it is packaged from what is checked in
    done = run(artifact.parents[2], "package", "predict", "--frozen", "--json")
    # THEN it is refused, with the file, its place and the way out, and without a traceback
    assert done.code == 9, done.out + done.err
    error = done.document["error"]
    assert error["code"] == code
    assert file in error["what"]
    assert str(artifact) in error["where"]
    assert error["mend"].startswith("restore the folder from version control, or run: sls-ml convert")
    assert "Traceback" not in done.err


@pytest.mark.parametrize("case", ["graph-changed", "lite-changed", "manifest-gone"])
def test_the_way_out_mends_it(case: str, artifact: Path) -> None:
    # GIVEN an artifact of which one file was damaged, its size as it was
    file, damage, _ = DAMAGE[case]
    whole = (artifact / file).read_bytes()
    damage(artifact / file)
    # WHEN the user does as told
    done = run(artifact.parents[2], "convert", "--json")
    # THEN the artifact is whole again, at the same address, and can be packaged
    assert done.code == 0, done.err
    assert done.document["models"]["ripe"]["converted"] is True
    assert (artifact / file).read_bytes() == whole
    assert run(artifact.parents[2], "package", "predict", "--frozen").code == 0


def test_damage_is_refused_before_a_deploy_uploads_it(artifact: Path) -> None:
    # GIVEN a checked-in artifact whose graph was changed
    changed(artifact / "model.onnx")
    # WHEN it is deployed
    done = run(artifact.parents[2], "deploy", "--frozen", "--stage", "local", "--json")
    # THEN nothing is started and nothing goes to the store
    assert (done.code, done.document["error"]["code"]) == (9, "artifact-digest")
    assert not (artifact.parents[2] / ".sls-ml" / "local").exists()


ADDRESSED = {name: DAMAGE[name] for name in ("graph-changed", "lite-cut", "manifest-changed")} | {
    "manifest-gone": ("manifest.json", Path.unlink, "artifact-missing")
}


@pytest.mark.parametrize("case", ADDRESSED)
def test_an_address_that_leads_to_damage_is_refused(case: str, artifact: Path) -> None:
    # GIVEN an artifact by its address, with one file damaged
    file, damage, code = ADDRESSED[case]
    damage(artifact / file)
    # WHEN it is inspected
    done = run(artifact.parents[2], "inspect", str(artifact), "--json")
    # THEN it is refused, with its place and the way out
    assert (done.code, done.document["error"]["code"]) == (9, code)
    assert str(artifact) in done.document["error"]["where"]
    assert done.document["error"]["mend"]
    assert "Traceback" not in done.err


def made_up(**other: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda manifest: json.dumps({**manifest, **other}).encode()


MADE_UP: dict[str, tuple[Callable[[dict[str, Any]], bytes], str, str]] = {
    "newer": (made_up(format=2), "artifact-format", "install the version of sls-ml that wrote"),
    "outside": (
        made_up(files={"../../model.skops": {"bytes": 1, "sha256": "0" * 64}}),
        "artifact-corrupt",
        "fetch",
    ),
    "inputs": (made_up(inputs=[1]), "artifact-corrupt", "fetch"),
    "engine": (made_up(engines=["magic"]), "artifact-corrupt", "fetch"),
    "deep": (lambda _: b"[" * 100_000, "artifact-corrupt", "fetch"),
}


@pytest.mark.parametrize("case", MADE_UP)
def test_a_made_up_manifest_under_its_own_digest_is_refused(case: str, artifact: Path) -> None:
    # GIVEN a manifest that no version wrote, or one to come, whose address is right
    make, code, mend = MADE_UP[case]
    text = make(json.loads((artifact / "manifest.json").read_bytes()))
    (artifact / "manifest.json").write_bytes(text)
    address = artifact.rename(artifact.with_name(hashlib.sha256(text).hexdigest()))
    # WHEN it is inspected
    done = run(artifact.parents[2], "inspect", str(address), "--json")
    # THEN it is refused, and what can be done is said
    assert (done.code, done.document["error"]["code"]) == (9, code)
    assert done.document["error"]["mend"].startswith(mend)
    assert "Traceback" not in done.err
