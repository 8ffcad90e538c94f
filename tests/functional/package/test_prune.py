"""Which files of wheels stay, by engine."""

from __future__ import annotations

import pytest

from sls_ml.package import prune

CAPI = "onnxruntime/capi/libonnxruntime.so.1.32.0"
SHARED = "onnxruntime/capi/libonnxruntime_providers_shared.so"
MODULE = "onnxruntime/capi/onnxruntime_pybind11_state.cpython-313-x86_64-linux-gnu.so"


@pytest.mark.parametrize(
    ("engines", "kept"),
    [
        ({"ort_capi"}, {CAPI}),
        ({"ort_python"}, {SHARED, MODULE, "onnxruntime/__init__.py"}),
        ({"ort_capi", "ort_python"}, {CAPI, SHARED, MODULE, "onnxruntime/__init__.py"}),
        ({"lite"}, set()),
    ],
)
def test_engines_keep_what_they_load(engines, kept):
    # GIVEN the parts of onnxruntime's wheel
    paths = {CAPI, SHARED, MODULE, "onnxruntime/__init__.py", "onnxruntime/tools/file.py"}
    # THEN each engine keeps its own, and all keep the licence
    assert {path for path in paths if prune.reason(path, engines) is None} == kept
    assert prune.reason("onnxruntime/LICENSE", engines) is None


@pytest.mark.parametrize(
    "path",
    [
        "numpy/testing/__init__.py",
        "numpy/random/_generator.cpython-313-x86_64-linux-gnu.so",
        "numpy.libs/libscipy_openblas64_-32a4b2a6.so",
        "numpy-2.4.6.dist-info/METADATA",
        "numpy-2.4.6.dist-info/licenses/LICENSE.txt",
        "opentelemetry_api-1.0.dist-info/entry_points.txt",
        "package/data/bin/table.csv",
        "package/latests/module.py",
    ],
)
def test_what_code_may_read_stays(path):
    # THEN it is kept
    assert prune.reason(path, {"ort_python"}) is None


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ((), ("onnxruntime/capi/libonnxruntime.*", "ort_capi")),
        ((SHARED,), ("onnxruntime/capi/libonnxruntime.*", "ort_capi")),
        ((CAPI,), None),
    ],
)
def test_engine_without_its_library_is_found(present, expected):
    # THEN what the engine needs and no file is named is told
    assert prune.missing(present, {"ort_capi"}) == expected
