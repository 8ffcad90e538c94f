"""The engines that can run an artifact, and the choice among them."""

from __future__ import annotations

from sls_ml_runtime.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Protocol

    from sls_ml_runtime.answer import Arrays
    from sls_ml_runtime.artifact import Artifact
    from sls_ml_runtime.signature import Columns

    class InferenceEngine(Protocol):
        """A loaded model."""

        name: str

        def run(self, columns: Columns) -> Arrays:
            """Predict.

            Args:
                columns: One ``(dtype, values)`` per manifest input, in its order, all of one length.

            Returns:
                Output tensor name to ``(dtype, shape, flat values)``, for the manifest's outputs.

            Raises:
                EngineError: The engine failed.
            """


def load(artifact: Artifact, *, engine: str = "auto", threads: int = 1) -> InferenceEngine:
    """Load an artifact into an engine.

    Args:
        artifact: An opened artifact.
        engine: ``auto`` takes the first engine of the manifest's list that is available here,
            and a line in the log tells which were not; ``lite``, ``ort_capi`` or ``ort_python`` take that
            one, listed or not.
        threads: Threads for one prediction.

    Raises:
        EngineError: The engine, or with ``auto`` each of them, is not available or cannot load the model.
    """
    names = artifact.manifest["engines"] if engine == "auto" else [engine]
    failures = []
    for name in names:
        try:
            loaded = _load(name, artifact, threads)
        except EngineError as error:
            failures.append(f"{name}: {error}")
        else:
            if failures:
                _tell(artifact.name, name, failures)
            return loaded
    raise EngineError(f"no engine can run {artifact.name}: " + "; ".join(failures))


def _tell(model: str, engine: str, failures: list[str]) -> None:
    """One line for the log: a slower engine runs the model, and why."""
    import json
    import sys

    line = {"level": "WARN", "message": "another engine runs the model", "model": model, "engine": engine}
    sys.stderr.write(json.dumps(line | {"reason": "; ".join(failures)}) + "\n")


def preload(names: Collection[str]) -> None:
    """Load what these engines take time to load, while an artifact is still on its way.

    What fails here fails again, and is told, in `load`.
    """
    if "ort_capi" in names:
        from sls_ml_runtime.engines import ort_capi

        try:
            ort_capi.Library.shared()
        except EngineError:
            return


def _load(name: str, artifact: Artifact, threads: int) -> InferenceEngine:
    match name:
        case "lite":
            from sls_ml_runtime.engines import lite

            return lite.Engine(artifact)
        case "ort_capi":
            from sls_ml_runtime.engines import ort_capi

            return ort_capi.Engine(artifact, threads)
        case "ort_python":
            from sls_ml_runtime.engines import ort_python

            return ort_python.Engine(artifact, threads)
        case _:
            raise EngineError(f"there is no engine {name!r}")
