"""A generated function becomes a package: wheels for its platform, pruned, compiled, zipped, size-checked."""

from sls_ml.package.build import build
from sls_ml.package.explain import explain
from sls_ml.package.hook_requirements import pinned
from sls_ml.package.model import Package, PackagedFile
from sls_ml.package.targets import LocalTarget, local_target

__all__ = ["LocalTarget", "Package", "PackagedFile", "build", "explain", "local_target", "pinned"]
