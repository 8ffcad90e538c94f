"""Where AWS's native client of the Runtime API is not built, ours takes its place."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from importlib.resources import files
from pathlib import Path

from sls_ml.local import managed_runtime
from sls_ml.local.runtime_api import Answered, Invocation, Ready, RuntimeApi

HANDLER = """
import runtime_client
def handler(event, context):
    if event["fail"]:
        raise RuntimeError("as asked")
    return {"client": runtime_client.__file__, "id": context.aws_request_id, "text": event["text"]}
"""


def test_functions_run_without_the_native_client(tmp_path: Path) -> None:
    # GIVEN AWS's runtime client with our stand-in before its native module
    runtime = managed_runtime.find("python3.11")
    shutil.copy(str(files("sls_ml.local") / "data" / "runtime_client.py"), tmp_path)
    (tmp_path / "handler.py").write_text(HANDLER)
    api = RuntimeApi()
    process = subprocess.Popen(
        [str(runtime.executable), "-S", "-m", "awslambdaric", "handler.handler"],
        cwd=tmp_path,
        env={
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "PYTHONPATH": os.pathsep.join((str(tmp_path), str(runtime.libraries))),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )
    try:
        for fail in (False, True):
            assert isinstance(api.signals.get(timeout=30), Ready)
            # WHEN an event comes
            payload = json.dumps({"fail": fail, "text": "Zürich"}).encode()
            api.send(Invocation("one", payload, int(time.time() * 1000) + 10_000, "arn", "Root=1"))
            answer = api.signals.get(timeout=30)
            # THEN it is answered, or its error told
            assert isinstance(answer, Answered)
            assert answer.failed is fail
            body = json.loads(answer.body)
            if fail:
                assert body["errorMessage"] == "as asked"
            else:
                expected = {"client": str(tmp_path / "runtime_client.py"), "id": "one", "text": "Zürich"}
                assert body == expected
    finally:
        process.kill()
        process.wait()
        api.close()
