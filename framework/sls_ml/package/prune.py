"""What of wheels and runtime a function never reads, as tables: path pattern, and why it can go."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

from sls_ml.intent.model import EngineName

Rule = tuple[str, str]
"""A pattern over the whole path, in which ``*`` also matches ``/``, and why what it matches is left out."""

EVERY_WHEEL: tuple[Rule, ...] = (
    ("*/tests/*", "tests"),
    ("tests/*", "tests"),
    ("*/conftest.py", "tests"),
    ("bin/*", "console scripts"),
    ("*.pyi", "type stubs"),
    ("*/py.typed", "type stubs"),
    ("*.pxd", "headers and link libraries"),
    ("*.pyx", "headers and link libraries"),
    ("*.h", "headers and link libraries"),
    ("*.hpp", "headers and link libraries"),
    ("*.a", "headers and link libraries"),
    ("*/pkgconfig/*", "headers and link libraries"),
    ("*/__pycache__/*", "bytecode of another build"),
    ("*.dist-info/RECORD", "installer's notes"),
    ("*.dist-info/INSTALLER", "installer's notes"),
    ("*.dist-info/REQUESTED", "installer's notes"),
    ("*.dist-info/WHEEL", "installer's notes"),
    ("*.dist-info/direct_url.json", "installer's notes"),
    ("*.dist-info/uv_*.json", "installer's notes"),
    ("*.dist-info/top_level.txt", "installer's notes"),
    ("*.dist-info/sboms/*", "installer's notes"),
    (".lock", "installer's notes"),
)

SOME_WHEELS: tuple[Rule, ...] = (
    # numpy imports none of these by itself. Its OpenBLAS has to stay: import calls dot as a sanity check.
    ("numpy/f2py/*", "builds Fortran extensions"),
    ("numpy/distutils/*", "builds C extensions"),
    ("numpy/_pyinstaller/*", "build hooks"),
    ("numpy/_configtool.py", "build hooks"),
    ("numpy/random/_examples/*", "examples"),
    ("numpy/_core/_simd.*.so", "test modules"),
    ("numpy/_core/_*_tests.*.so", "test modules"),
    # Found by import of onnxruntime and a session on the CPU, with each of them absent.
    ("onnxruntime/transformers/*", "optimises and converts models"),
    ("onnxruntime/quantization/*", "optimises and converts models"),
    ("onnxruntime/tools/*", "optimises and converts models"),
    ("onnxruntime/backend/*", "optimises and converts models"),
    ("onnxruntime/capi/convert_npz_to_onnx_adapter.py", "optimises and converts models"),
    ("onnxruntime/datasets/*", "examples"),
    ("onnxruntime/Privacy.md", "telemetry is switched off"),
    ("chalice/*/*", "deploys apps and runs them on a laptop"),
    ("chalice/policies*.json", "deploys apps and runs them on a laptop"),
    ("aws_lambda_powertools/event_handler/openapi/swagger_ui/*.min.*", "a page that functions do not serve"),
)

_LICENCES = ("onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt")
_C_LIBRARY = ("onnxruntime/capi/libonnxruntime.so.*", "onnxruntime/capi/libonnxruntime.*dylib")
# The rest is the Python API, with libonnxruntime_providers_shared: absent, each import logs an error.

NEEDED: dict[EngineName, tuple[str, ...]] = {
    "lite": (),
    "ort_capi": ("onnxruntime/capi/libonnxruntime.*",),
    "ort_python": ("onnxruntime/capi/onnxruntime_pybind11_state*", "numpy/__init__.py"),
}
"""What has to be in the package for an engine to load."""


def reason(path: str, engines: Collection[EngineName]) -> str | None:
    """Why a file of a wheel is left out of the package of a function with these engines; None to keep it."""
    for pattern, why in (*EVERY_WHEEL, *SOME_WHEELS):
        if fnmatchcase(path, pattern):
            return why
    if path in _LICENCES or not path.startswith("onnxruntime/"):
        return None
    if any(fnmatchcase(path, pattern) for pattern in _C_LIBRARY):
        return None if "ort_capi" in engines else "no engine of this function loads the C library"
    return None if "ort_python" in engines else "no engine of this function loads the Python API"


def unused(
    path: str,
    engines: Collection[EngineName],
    *,
    lite: Collection[str] | None,
    scores: bool,
    fetches: bool,
    follows: bool,
    page: bool,
    watched: bool,
    secret: bool,
) -> str | None:
    """Why a file of the runtime is left out of a function's package; None to keep it.

    Args:
        path: The path below the runtime's folder.
        engines: The engines of the function's models.
        lite: The families of operations that its models ask of the lite engine; None where that is not known.
        scores: Whether the function scores objects.
        fetches: Whether it fetches models.
        follows: Whether it follows an alias.
        page: Whether it serves a page about its models.
        watched: Whether it counts rows to find drift.
        secret: Whether its environment names secrets.
    """
    calls = scores or fetches or secret
    for patterns, needed, why in (
        (("engines/lite.py", "engines/lite_ops/*"), "lite" in engines, "no model runs on this engine"),
        (("engines/ort_capi.py",), "ort_capi" in engines, "no model runs on this engine"),
        (("engines/ort_python.py",), "ort_python" in engines, "no model runs on this engine"),
        (("score.py", "scorer.py", "aws_[op]*.py"), scores, "the function scores no objects"),
        (("fetch.py",), fetches, "the models ride in the package"),
        (("follow.py",), follows, "the function follows no alias"),
        (("s3.py",), scores or fetches, "the function reads nothing from S3"),
        (("drift.py",), watched, "the function's models are not watched for drift"),
        (("secrets.py",), secret, "the function's environment names no secret"),
        (("signing.py", "wire.py"), calls, "the function calls no service"),
        (("page.py", "page.html"), page, "the function serves no page"),
    ):
        if not needed and any(fnmatchcase(path, pattern) for pattern in patterns):
            return why
    folder, _, name = path.rpartition("/")
    family = name.removesuffix(".py")
    if lite is not None and folder == "engines/lite_ops" and family not in {*lite, "__init__"}:
        return "no model asks for these operations"
    return None


def missing(paths: Iterable[str], engines: Collection[EngineName]) -> tuple[str, EngineName] | None:
    """A pattern that an engine needs and no path matches, with that engine; None when all is there."""
    present = tuple(paths)
    for engine in sorted(engines):
        for pattern in NEEDED[engine]:
            if not any(fnmatchcase(path, pattern) for path in present):
                return pattern, engine
    return None
