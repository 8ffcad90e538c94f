"""A package that the provider would refuse is refused here, with what is large in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sls_ml.errors import UnsupportedError
from sls_ml.package import Package, PackagedFile, explain, preflight
from sls_ml.provider.base import Limit

MB = 1 << 20

PACKAGE = Package(
    function="predict",
    kind="zip",
    path=Path("predict.zip"),
    sha256="0" * 64,
    bytes=90 * MB,
    unpacked_bytes=263 * MB,
    python="3.13",
    architecture="x86_64",
    platform="x86_64-manylinux_2_34",
    glibc="2.28",
    bytecode="3.13.0",
    files=(
        PackagedFile("artifacts/forest/0/model.onnx", 180 * MB, "artifact forest"),
        PackagedFile("handler.py", 2048, "function"),
        PackagedFile("numpy/__init__.py", 20 * MB, "numpy 2.4.6"),
        PackagedFile("numpy/__pycache__/__init__.cpython-313.pyc", 27 * MB, "numpy 2.4.6"),
        PackagedFile("onnxruntime/capi/onnxruntime_pybind11_state.so", 36 * MB, "onnxruntime 1.32.0"),
    ),
    pruned=(
        PackagedFile("numpy/tests/a.py", 3, "numpy 2.4.6", "tests"),
        PackagedFile("numpy/tests/b.py", 4, "numpy 2.4.6", "tests"),
    ),
    warnings=(),
)


def limits(**values: int) -> dict[str, Limit]:
    return {
        key: Limit(value, "bytes", "https://docs.example/limits", "2026-11-24")
        for key, value in values.items()
    }


def test_too_large_unpacked(golden):
    # WHEN what a package unpacks to is above the limit
    with pytest.raises(UnsupportedError) as caught:
        preflight.check(PACKAGE, limits(zip_bytes=100 * MB, unpacked_bytes=250 * MB))
    # THEN the error says what is largest and what makes it smaller
    golden("package/too-large.txt", f"{caught.value}\n")


def test_too_large_zipped():
    # WHEN the zip is above its own limit
    with pytest.raises(UnsupportedError, match=r"has 90.0 MB zipped, the limit is 50.0 MB"):
        preflight.check(PACKAGE, limits(zip_bytes=50 * MB))


def test_limits_that_are_not_given_do_not_count():
    # THEN a provider without such limits takes anything
    preflight.check(PACKAGE, limits(timeout_seconds=1))


def test_explanation_adds_up():
    # WHEN a package is explained
    told = explain(PACKAGE)
    # THEN sizes are by origin and file, largest first, and what was left out is summed by reason
    assert list(told["origins"].items())[:2] == [("artifact forest", 180 * MB), ("numpy 2.4.6", 47 * MB)]
    assert next(iter(told["files"])) == "artifacts/forest/0/model.onnx"
    assert told["bytecode"] == {"compiled_by": "3.13.0", "bytes": 27 * MB}
    assert told["pruned"] == {"numpy 2.4.6: tests": 7}
    assert told["pruned_bytes"] == 7
