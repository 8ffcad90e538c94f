"""What hooks ask for is pinned once, packaged, and told when it is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sls_ml.errors import ExternalError, SpecError, UnsupportedError
from sls_ml.measure import hook_imports
from sls_ml.package import interpreters, pinned, wheels

BASE = "typing-extensions==4.14.0 --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A requirements.txt that does not exist yet."""
    return tmp_path / "requirements.txt"


def pin(file: Path, *wanted: str, base: str = "", resolve: bool = True, upgrade: bool = False) -> str:
    text = pinned("predict", wanted, base, file, python="3.13", resolve=resolve, upgrade=upgrade)
    file.write_text(text)
    return text


def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def test_a_function_without_wishes_has_its_own_pins_alone(written):
    assert pin(written, base=BASE) == BASE


def test_pins_are_kept_without_asking_the_index_again(written, monkeypatch, tmp_path):
    # GIVEN pins of a wish
    first = pin(written, "six", base=BASE)
    assert first.startswith(BASE)
    assert "\nsix==" in first
    # WHEN nothing has changed, and no index is in reach
    offline(monkeypatch, tmp_path)
    # THEN the pins are the same
    assert pin(written, "six", base=BASE) == first
    # THEN a change needs the index
    with pytest.raises(ExternalError) as caught:
        pin(written, "six", "markupsafe", base=BASE)
    assert caught.value.code == "package-index-unreachable"


@pytest.mark.parametrize("change", ["wish", "base", "pins"])
def test_a_change_is_seen_without_asking_the_index(written, monkeypatch, tmp_path, change):
    # GIVEN pins of a wish, and no index in reach
    first = pin(written, "six", base=BASE)
    offline(monkeypatch, tmp_path)
    # WHEN the wish, the function's own pins, or the pins themselves are changed
    if change == "pins":
        written.write_text(first.replace("\nsix==", "\nsix==0."))
    wanted = ("six", "markupsafe") if change == "wish" else ("six",)
    before = written.read_text()
    # THEN what is wanted is no longer what is there
    assert pin(written, *wanted, base="" if change == "base" else BASE, resolve=False) != before


def test_versions_stay_until_they_are_raised(written):
    # GIVEN an older version that an earlier wish asked for
    pin(written, "six==1.16.0")
    # WHEN the wish allows every version
    # THEN the version stays, and goes up when that is asked for
    assert "\nsix==1.16.0" in pin(written, "six")
    assert "\nsix==1.16.0" not in pin(written, "six", upgrade=True)


def test_a_package_that_the_function_needs_itself_is_pinned_once(written):
    # WHEN hooks ask for a package that needs one with a pin of the function's own
    text = pin(written, "typing-inspection", base=BASE)
    # THEN it stands there once, in that version
    assert "\ntyping-inspection==" in text
    assert text.count("typing-extensions==") == 1


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (("sls-ml-no-such-package",), "sls-ml-no-such-package was not found"),
        (("docopt",), "all versions of docopt have no usable wheels"),
        (("six<1.16", "six>=1.17"), "six<1.16 and six>=1.17"),
    ],
)
def test_what_cannot_be_had_is_named(written, wanted, words):
    with pytest.raises(SpecError) as caught:
        pin(written, *wanted)
    # THEN the key and the reason are said
    (problem,) = caught.value.problems
    assert problem.key == "functions.predict.requirements"
    assert words in problem.what


def test_a_wheel_that_the_target_lacks_is_named_with_the_way_out(make, written):
    # GIVEN a wish for a version that was never built for Python 3.13
    project = make(requirements=pin(written, "markupsafe==2.1.5"))
    with pytest.raises(UnsupportedError) as caught:
        project.build()
    # THEN package, target, and both ways out are said
    assert caught.value.what == "markupsafe 2.1.5 has no wheel for Python 3.13 on x86_64 with glibc 2.34"
    assert 'python: "3.12"' in str(caught.value.mend)
    assert "sls-ml generate --upgrade" in str(caught.value.mend)


@pytest.mark.parametrize("platform", ["x86_64-manylinux_2_34", "aarch64-apple-darwin"])
@pytest.mark.parametrize("python", ["3.11", "3.13"])
def test_pins_hold_for_laptops_too(make, written, tmp_path, python, platform):
    # GIVEN pins of packages with shared libraries
    project = make(requirements=pin(written, "markupsafe"))
    # THEN every platform that runs functions finds its wheel among them
    built = project.build(python=python, platform=platform, cache=tmp_path / "cache")
    assert any(file.path.startswith("markupsafe/_speedups.") for file in built.files)


def test_what_hooks_import_is_packaged_measured_or_missed(make, written):
    # GIVEN hooks that import what is pinned, what is not, and what a runtime brings
    project = make(requirements=pin(written, "six"))
    (project.source / "hooks.py").write_text(
        "import json\nimport boto3\nimport six\nimport sls_ml_no_such\n\ntry:\n    import rapid\n"
        "except ImportError:\n    pass\n"
    )
    built = project.build()
    # THEN what nothing brings is told
    missing = [warning for warning in built.warnings if "imports" in warning and "bytecode" not in warning]
    assert len(missing) == 1
    assert missing[0].startswith("hooks.py imports sls_ml_no_such, which is not in the package")
    # THEN what is there has a cost, where its Python is at hand
    costs = hook_imports.milliseconds(built)
    if interpreters.find("3.13") is None:
        assert costs is None
    else:
        assert costs is not None
        assert {"six", "json"} <= set(costs)
        assert costs["six"] > 0


def test_the_words_of_uv_that_mean_no_network():
    assert wheels.offline("error: Failed to fetch: `index`\n  Caused by: error sending\n request for url")
