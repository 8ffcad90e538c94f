"""What a package is made of, as data for people and for ``--json``."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sls_ml.package.model import Package


def explain(package: Package) -> dict[str, Any]:
    """What is in a package and what was left out, largest first; all sizes in bytes, unpacked."""
    pruned: Counter[str] = Counter()
    for file in package.pruned:
        pruned[f"{file.origin}: {file.why}"] += file.bytes
    origins: Counter[str] = Counter()
    for file in package.files:
        origins[file.origin] += file.bytes
    return {
        "function": package.function,
        "package": str(package.path),
        "sha256": package.sha256,
        "bytes": package.bytes,
        "unpacked_bytes": package.unpacked_bytes,
        "python": package.python,
        "architecture": package.architecture,
        "platform": package.platform,
        "glibc": package.glibc,
        "bytecode": {
            "compiled_by": package.bytecode,
            "bytes": sum(file.bytes for file in package.files if file.path.endswith(".pyc")),
        },
        "origins": dict(origins.most_common()),
        "files": {f.path: f.bytes for f in sorted(package.files, key=lambda f: (-f.bytes, f.path))},
        "pruned": dict(pruned.most_common()),
        "pruned_bytes": pruned.total(),
        "warnings": list(package.warnings),
    }
