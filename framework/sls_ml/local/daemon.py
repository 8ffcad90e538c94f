"""The embedded cloud's daemon: moto's server with our Lambda and CloudFormation in it.

moto is the cloud's IAM, STS, S3, SQS, EventBridge, CloudWatch, its logs and more, with IAM enforced. Lambda
and CloudFormation are ours: moto's need Docker, drop what they do not know, and never roll back.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import logging
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from sls_ml.local.code_version import code_version
from sls_ml.local.files import Endpoint, Files
from sls_ml.local.loopback import HOST, on_a_port
from sls_ml.local.processes import started

ACCOUNT = "123456789012"
ADMINISTRATOR = "sls-ml"

_log = logging.getLogger("sls_ml.local")


class Cloud:
    """Everything that runs in the daemon.

    Args:
        files: Where its files lie.
        region: Its region.
    """

    def __init__(self, files: Files, region: str) -> None:
        self._files = files
        self._socket = _listen(files)
        self._stopping = threading.Event()
        url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        access_key, secret_key = _administrator()
        self.endpoint = Endpoint(url, region, ACCOUNT, access_key, secret_key, os.getpid())
        self._build()

    def _build(self) -> None:
        from sls_ml.local import moto_mends
        from sls_ml.local.account import Account
        from sls_ml.local.api_calls import FunctionCalls
        from sls_ml.local.cloudformation import api as cloudformation
        from sls_ml.local.cloudformation.codedeploy_kinds import Checks
        from sls_ml.local.cloudformation.kind import Site
        from sls_ml.local.cloudformation.stacks import Stacks
        from sls_ml.local.event_sources import EventSources
        from sls_ml.local.front_door import FrontDoors
        from sls_ml.local.function_host import FunctionHost
        from sls_ml.local.function_url import FunctionUrls
        from sls_ml.local.functions import Functions
        from sls_ml.local.http_api import HttpApis
        from sls_ml.local.lambda_api import LambdaApi
        from sls_ml.local.rest_api import RestApis
        from sls_ml.local.scheduler import Scheduler
        from sls_ml.local.service import mount

        at = self.endpoint
        account = Account(at.account, at.region, at.url)
        functions = Functions(at.account, at.region, self._files.code)
        self._host = FunctionHost(
            account=account, folder=self._files.temporary, children=self._files.children
        )
        self._doors = FrontDoors(self._files.ports)
        urls = FunctionUrls(account=at.account, functions=functions, host=self._host, doors=self._doors)
        calls = FunctionCalls(account=at.account, functions=functions, host=self._host)
        apis = HttpApis(account=at.account, region=at.region, calls=calls, doors=self._doors)
        self._rest_apis = RestApis(account=at.account, region=at.region, calls=calls)
        self._sources = EventSources(account=account, functions=functions, host=self._host)
        scheduler = Scheduler(account)
        lambda_ = LambdaApi(at.account, at.region, functions, self._host, urls, self._sources, self._stopping)
        site = Site(at.url, at.region, at.account, at.access_key, at.secret_key)
        mount("lambda", "awslambda", lambda_.operations(), at.account, lambda_.resource)
        checks = Checks(site)
        stacks = Stacks(site, checks)
        mount("cloudformation", "cloudformation", cloudformation.operations(stacks, site), at.account)
        mount("codedeploy", "codedeploy", checks.operations(), at.account, checks.resource)
        moto_mends.keep_queue_policies()
        moto_mends.ask_queue_policies()
        moto_mends.tell_event_bridge()
        moto_mends.name_secrets()
        moto_mends.name_log_groups()
        moto_mends.sign_empty_bodies()
        moto_mends.serve_apis(apis.open, apis.close)
        moto_mends.take_swagger()
        moto_mends.judge_calls()
        moto_mends.keep_time(scheduler.begin, scheduler.end)

    def serve(self, ready: int | None) -> None:
        """Answer until a signal ends it.

        Args:
            ready: Descriptor to write to once the cloud answers.
        """
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            MotoRequestHandler,
            create_backend_app,
        )
        from werkzeug.serving import make_server

        server = make_server(
            HOST,
            self._socket.getsockname()[1],
            _guarded(
                DomainDispatcherApplication(lambda service: _outspoken(create_backend_app(service))),
                self._rest_apis.call,
            ),
            threaded=True,
            request_handler=MotoRequestHandler,
            fd=self._socket.fileno(),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._files.write_state(self.endpoint, started(os.getpid()), code_version())
        _log.info("ready at %s", self.endpoint.url)
        if ready is not None:
            os.write(ready, b"ready\n")
            os.close(ready)
        self._stopping.wait()
        _log.info("stopping")
        self._sources.close()
        self._doors.close_all()
        self._host.close()
        self._files.state.unlink(missing_ok=True)


def _listen(files: Files) -> socket.socket:
    """The cloud's socket, on the port that it had before where that is free."""
    ports: dict[str, int] = json.loads(files.ports.read_text()) if files.ports.exists() else {}
    listening = on_a_port(_bound, ports.get("cloud"))
    listening.listen(128)
    ports["cloud"] = listening.getsockname()[1]
    files.ports.write_text(json.dumps(ports, indent=1, sort_keys=True))
    return listening


def _bound(port: int) -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError:
        listening.close()
        raise
    return listening


def _administrator() -> tuple[str, str]:
    """Make the administrator, then switch IAM on for good."""
    from moto import settings
    from moto.iam.models import iam_backends

    iam = iam_backends[ACCOUNT]["aws"]
    iam.create_user(region_name="us-east-1", user_name=ADMINISTRATOR)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(ADMINISTRATOR, "AdministratorAccess", json.dumps(document))
    key = iam.create_access_key(ADMINISTRATOR)
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    return key.access_key_id, key.secret_access_key


def _outspoken(application: Any) -> Any:
    """Let moto's services say that the disk is full, where they would answer a bare 500."""

    def explain(error: OSError) -> tuple[str, int, dict[str, str]]:
        _log.exception("a service of moto")
        what = escape(f"the embedded cloud cannot go on: {error}")
        body = f"<Error><Code>EmbeddedCloudFailed</Code><Message>{what}</Message></Error>"
        return body, 400, {"Content-Type": "application/xml"}

    application.register_error_handler(OSError, explain)
    return application


def _guarded(application: Any, rest_apis: Any) -> Any:
    """Refuse what could come from a web page, and moto's own controls, which know no signature.

    Requests to a REST API's host name go there.
    """
    from sls_ml.local.rest_api import HOST_PART
    from sls_ml.local.service import keep_body

    def call(environ: dict[str, Any], start_response: Any) -> Any:
        host = environ.get("HTTP_HOST", "").rpartition(":")[0]
        foreign = host not in (HOST, "localhost") and not host.endswith(".localhost")
        if foreign or environ.get("PATH_INFO", "").startswith("/moto-api"):
            start_response("403 Forbidden", [("Content-Type", "application/json")])
            return [b'{"Message":"Forbidden"}']
        if HOST_PART in host:
            return rest_apis(environ, start_response)
        keep_body(environ)
        return application(environ, start_response)

    return call


def main(arguments: list[str] | None = None) -> int:
    """Run the daemon of a project folder, as a child of nobody."""
    parser = argparse.ArgumentParser(prog="python -m sls_ml.local.daemon")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--region", required=True)
    parser.add_argument("--ready", type=int, help="descriptor to write to once the cloud answers")
    given = parser.parse_args(arguments)
    if os.fork() > 0:  # the starter waits for this process, and for nobody after it
        return 0
    os.setsid()
    files = Files.of(given.folder)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("werkzeug", "botocore", "boto3"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    with files.life_lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _log.error("another daemon runs for %s", given.folder)
            return 1
        _begin_anew(files)
        os.environ.update(
            AWS_DEFAULT_REGION=given.region, MOTO_ACCOUNT_ID=ACCOUNT, MOTO_DISABLE_GLOBAL_CORS="1"
        )
        Cloud(files, given.region).serve(given.ready)
        logging.shutdown()
        os._exit(0)  # threads that wait for clients must not keep it; all that matters is closed


def _begin_anew(files: Files) -> None:
    """Remove what a daemon before this one left: the cloud lives in memory."""
    from sls_ml.local.functions import remove_read_only

    files.state.unlink(missing_ok=True)
    files.children.write_text(f"{files.root}\n")
    for folder in (files.code, files.temporary):
        if folder.exists():
            remove_read_only(folder)
        folder.mkdir()


if __name__ == "__main__":
    sys.exit(main())
