"""Refuses a package that a provider would refuse, and says what is large and how to make it smaller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from sls_ml.errors import UnsupportedError
from sls_ml.package.model import Package


class SizeLimit(Protocol):
    """A limit of a provider."""

    @property
    def value(self) -> int:
        """The limit in bytes."""

    @property
    def page(self) -> str:
        """The page that states it."""


Limits = Mapping[str, SizeLimit]
"""Of a provider's limits, `check` reads ``zip_bytes`` and ``unpacked_bytes``."""

_LARGEST = 3


def check(package: Package, limits: Limits) -> None:
    """Compare a package with the provider's limits.

    Raises:
        UnsupportedError: The zip, or what it unpacks to, is larger than the provider takes.
    """
    sizes = {"zip_bytes": (package.bytes, "zipped"), "unpacked_bytes": (package.unpacked_bytes, "unpacked")}
    for key, (size, word) in sizes.items():
        limit = limits.get(key)
        if limit is not None and size > limit.value:
            raise UnsupportedError(
                f"the package of {package.function} has {_megabytes(size)} {word}, "
                f"the limit is {_megabytes(limit.value)}",
                code="package-too-large",
                where=limit.page,
                why=f"largest: {', '.join(_largest(package))}",
                mend="; ".join(_ways_out(package)),
            )


def _largest(package: Package) -> list[str]:
    return [f"{origin} {_megabytes(size)}" for origin, size in _by_origin(package).most_common(_LARGEST)]


def _ways_out(package: Package) -> list[str]:
    origins = _by_origin(package)
    paths = {file.path for file in package.files}
    ways = []
    if any(path.startswith("onnxruntime/capi/onnxruntime_pybind11_state") for path in paths):
        ways.append("engine: ort_capi leaves numpy and onnxruntime's Python API out")
    if origins.most_common(1)[0][0].startswith("artifact "):
        ways.append("a smaller model (fewer or shallower trees), or fewer models in this function")
    ways.append(
        f"leave what hooks.py does not need out of functions.{package.function}.requirements and its folder"
    )
    return ways


def _by_origin(package: Package) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for file in package.files:
        sizes[file.origin] += file.bytes
    return sizes


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB"
