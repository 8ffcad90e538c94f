"""Holds the samples' checked-in artifacts and functions against their sources, or writes them again.

python .ci/samples.py check|write. `check` converts every model again and compares byte for byte.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from sls_ml import codegen, deploy
from sls_ml.conversion import convert, locked
from sls_ml.spec import Project, read

ROOT = Path(__file__).parents[1]


def check(project: Project) -> list[str]:
    """Differences between what is checked in and what the sources give now."""
    kept = {name: artifact.digest for name, artifact in locked(project).items()}
    with tempfile.TemporaryDirectory() as folder:
        again = project.model_copy(update={"artifacts": Path(folder) / "artifacts"})
        made = {name: convert(again, name, again=True) for name in project.models}
        problems = [
            f"{name}: converts to {artifact.digest[:12]}, checked in is {kept.get(name, 'nothing')[:12]}"
            for name, artifact in made.items()
            if artifact.digest != kept.get(name)
        ]
        for name, artifact in made.items():
            for file in sorted(artifact.manifest["files"]):
                checked_in = project.artifacts_folder / name / artifact.digest / file
                if (
                    not checked_in.exists()
                    or checked_in.read_bytes() != (artifact.folder / file).read_bytes()
                ):
                    problems.append(f"{checked_in.relative_to(ROOT)} differs")
    stale = deploy.stale_files(project)
    return problems + [f"{path} is not what the spec generates" for path in stale]


def write(project: Project) -> None:
    """Convert and generate, and keep only the artifacts that the functions name."""
    models = {name: convert(project, name, again=True) for name in project.models}
    codegen.write(deploy.decide(project, models).sources, project.handlers_folder)
    for name, artifact in locked(project).items():
        for folder in (project.artifacts_folder / name).iterdir():
            if folder.name != artifact.digest:
                shutil.rmtree(folder)


def main() -> int:
    """Run over all samples."""
    problems: list[str] = []
    for spec in sorted(ROOT.glob("samples/*/sls-ml.yaml")):
        project = read(spec, "local")
        if sys.argv[1:] == ["write"]:
            write(project)
        problems += [f"{spec.parent.name}: {problem}" for problem in check(project)]
    print(json.dumps(problems, indent=2) if problems else "samples are fresh")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
