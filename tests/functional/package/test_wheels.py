"""What uv cannot do is said in words of the project, with the way out that works."""

from __future__ import annotations

from importlib.resources import files

import pytest

from sls_ml.errors import ExternalError, SlsMlError, StaleError, UnsupportedError

from .conftest import MARKUPSAFE, ONNXRUNTIME

NO_HASH = "--hash=sha256:" + "0" * 64


def refused(project, **changes) -> SlsMlError:
    with pytest.raises(SlsMlError) as caught:
        project.build(**changes)
    return caught.value


def test_wheel_that_needs_a_newer_glibc(make, golden):
    # GIVEN onnxruntime, whose wheels need glibc 2.28, for a runtime on Amazon Linux 2
    project = make(requirements=ONNXRUNTIME, engine="ort_capi")
    # WHEN the function is built for it
    error = refused(project, python="3.11")
    # THEN package, Python and platform are named, and the versions that do have a wheel
    assert isinstance(error, UnsupportedError)
    golden("package/no-wheel-for-target.txt", str(error).replace(str(project.root), "…") + "\n")


def test_package_that_has_no_wheel_at_all(make):
    # GIVEN a package that is published as source only
    error = refused(make(requirements=f"docopt==0.6.2 {NO_HASH}"))
    # THEN it is named, and no version of Python is promised to help
    assert isinstance(error, UnsupportedError)
    assert error.what == "docopt 0.6.2 has no wheel for Python 3.13 on x86_64 with glibc 2.34"
    assert error.mend == "pin a version that has one"


def test_wheel_that_is_not_the_pinned_one(make):
    # GIVEN a pin with the hash of another file
    error = refused(make(requirements=f"six==1.17.0 {NO_HASH}"))
    # THEN it is refused, with both hashes
    assert isinstance(error, ExternalError)
    assert error.code == "wheel-hash-mismatch"
    assert error.what == "the wheel of six==1.17.0 is not the one that was pinned"
    assert "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274" in str(error.why)


@pytest.mark.parametrize("line", ["six==1.17.0", f"six>=1 {NO_HASH}"])
def test_requirement_without_pin(make, line):
    # GIVEN a requirement without hash, or without version
    error = refused(make(requirements=line))
    # THEN it is named as not pinned
    assert isinstance(error, StaleError)
    assert str(error.what).startswith("six")


@pytest.mark.parametrize(
    ("line", "name"), [("sls-ml-no-such-package==1.0", "sls-ml-no-such-package"), ("six==0.0.1", "six 0.0.1")]
)
def test_unknown_package_or_version(make, line, name):
    # GIVEN a pin that the index does not have
    error = refused(make(requirements=f"{line} {NO_HASH}"))
    # THEN it is named
    assert isinstance(error, ExternalError)
    assert error.what == f"the package index has no {name}"


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("engine", ["ort_capi", "ort_python"])
def test_engines_of_a_function_have_wheels_for_a_mac_too(make, python, engine):
    # GIVEN the pins of an engine
    needs = ("onnxruntime",) if engine == "ort_capi" else ("numpy", "onnxruntime")
    pins = files("sls_ml.provider.aws") / "data" / "pins"
    project = make(requirements="".join((pins / f"{need}.txt").read_text() for need in needs), engine=engine)
    # WHEN the package that the embedded cloud runs on a Mac is built
    built = project.build(python=python, platform="aarch64-apple-darwin")
    # THEN the engine's library is in it
    assert any(file.path.startswith("onnxruntime/capi/") for file in built.files)


def test_no_network(make, monkeypatch, tmp_path):
    # GIVEN an empty cache of uv, and a network that leads nowhere
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    # THEN the error is of the environment, with its cause
    error = refused(make(requirements=MARKUPSAFE))
    assert isinstance(error, ExternalError)
    assert error.code == "package-index-unreachable"
    assert "Connection refused" in str(error.why)


def test_what_uv_s_cache_holds_needs_no_network(make, monkeypatch):
    # GIVEN wheels that uv fetched before
    first = make("one", requirements=MARKUPSAFE).build()
    # WHEN the same is built elsewhere with no network
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    # THEN it is built
    assert make("two", requirements=MARKUPSAFE).build().sha256 == first.sha256
