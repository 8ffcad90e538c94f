"""The daemon: started, found, replaced and ended."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sls_ml.errors import ExternalError
from sls_ml.local import control
from sls_ml.local.files import Files
from sls_ml.local.processes import started

Connect = Callable[[Any, str], Any]
TRUST = {
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]
}


def test_up_again_finds_the_running_daemon(cloud: Any) -> None:
    # GIVEN a running cloud
    # WHEN it is started again
    again = control.up(cloud.folder)
    # THEN it is the same one
    assert again == cloud.endpoint


def test_the_state_is_for_its_owner_only(cloud: Any) -> None:
    # GIVEN a running cloud, whose state holds keys
    mode = Files.of(cloud.folder).state.stat().st_mode
    # THEN nobody else can read it
    assert stat.S_IMODE(mode) == 0o600


def test_a_second_daemon_of_a_folder_is_refused(cloud: Any) -> None:
    # GIVEN a running cloud
    # WHEN a daemon is started beside the control
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "sls_ml.local.daemon", str(cloud.folder), "--region", "eu-west-1"]
    environment = {**os.environ, "PYTHONPATH": str(Path(control.__file__).parents[2])}
    done = subprocess.run(
        [*command, "--ready", str(writer)],
        pass_fds=(writer,),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(writer)
    # THEN it ends without a word that it is ready, and the running one stays
    assert os.read(reader, 16) == b""
    os.close(reader)
    assert "another daemon runs" in done.stderr
    assert control.status(cloud.folder) == cloud.endpoint


def test_a_killed_daemon_is_replaced_and_its_functions_end(
    tmp_path: Path, connect: Connect, gone: Callable[[int], None]
) -> None:
    # GIVEN a cloud whose function has a process, and which is killed
    before = control.up(tmp_path)
    try:
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr(
                "handler.py", "import os\ndef handler(event, context):\n    return os.getpid()\n"
            )
        connect(before, "iam").create_role(RoleName="any", AssumeRolePolicyDocument=json.dumps(TRUST))
        connect(before, "lambda").create_function(
            FunctionName="lives",
            Code={"ZipFile": package.getvalue()},
            Handler="handler.handler",
            Role=f"arn:aws:iam::{before.account}:role/any",
            Runtime="python3.11",
        )
        child = json.load(connect(before, "lambda").invoke(FunctionName="lives")["Payload"])
        os.kill(before.pid, signal.SIGKILL)
        gone(before.pid)
        # WHEN it is started again
        after = control.up(tmp_path)
        # THEN there is a new daemon, empty, and the function's process is gone
        assert after.pid != before.pid
        assert connect(after, "lambda").list_functions()["Functions"] == []
        gone(child)
    finally:
        assert control.down(tmp_path)
    # AND down leaves no daemon
    assert control.status(tmp_path) is None
    assert started(after.pid) is None


def test_a_daemon_of_older_code_is_replaced(tmp_path: Path) -> None:
    # GIVEN a running daemon that was started by another version of the code
    before = control.up(tmp_path)
    try:
        files = Files.of(tmp_path)
        files.write_state(before, started(before.pid), "an older one")
        # WHEN the cloud is asked for
        after = control.up(tmp_path)
        # THEN it is a new one, at the same address
        assert after.pid != before.pid
        assert after.url == before.url
        assert started(before.pid) is None
    finally:
        control.down(tmp_path)


def test_a_port_in_use_is_not_taken(tmp_path: Path, connect: Connect) -> None:
    # GIVEN a port that the cloud had before, and that another program listens on now
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        Files.of(tmp_path).ports.write_text(f'{{"cloud": {port}}}')
        # WHEN it is started
        endpoint = control.up(tmp_path)
        try:
            # THEN it answers on another port
            assert not endpoint.url.endswith(f":{port}")
            assert connect(endpoint, "sts").get_caller_identity()["Arn"].endswith("user/sls-ml")
        finally:
            control.down(tmp_path)


def test_a_daemon_that_cannot_start_says_why(tmp_path: Path) -> None:
    # GIVEN a folder whose cloud cannot start
    Files.of(tmp_path).ports.write_text("this is no JSON")
    # WHEN it is started
    with pytest.raises(ExternalError) as caught:
        control.up(tmp_path)
    # THEN the error holds the end of the daemon's log
    assert caught.value.code == "local-start"
    assert "JSONDecodeError" in (caught.value.why or "")


def test_an_id_that_another_process_has_now_is_not_the_daemon(tmp_path: Path, cloud: Any) -> None:
    # GIVEN the state of a daemon that is gone, whose id this process has now
    files = Files.of(tmp_path)
    files.write_state(replace(cloud.endpoint, pid=os.getpid()), "1")
    # THEN nothing runs, and nothing is ended
    assert control.status(tmp_path) is None
    assert control.down(tmp_path) is False


def test_the_log_can_be_read(cloud: Any) -> None:
    # GIVEN a running cloud
    # THEN its log begins with its address
    assert f"ready at {cloud.endpoint.url}" in next(control.logs(cloud.folder))


def test_a_copied_folder_has_no_say_over_the_daemon(tmp_path: Path, cloud: Any) -> None:
    # GIVEN a copy of the folder of a running cloud
    copied = tmp_path / "copied"
    ignored = shutil.ignore_patterns("code", "tmp")
    shutil.copytree(Files.of(cloud.folder).root, copied / ".sls-ml" / "local", ignore=ignored)
    # THEN nothing runs for the copy, and ending that ends nothing
    assert control.status(copied) is None
    assert control.down(copied) is False
    assert control.status(cloud.folder) == cloud.endpoint
