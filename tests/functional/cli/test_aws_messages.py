"""What sls-ml says when AWS refuses, by answers as AWS gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from command_line import Done, run

Message = Callable[[str, Done], None]
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_MAX_ATTEMPTS": "1"}

ANSWER = """\
<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">
  <Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>
  <RequestId>0d6f2ee7-2f0c-4ae4-8a4f-0a6f29ac4b6a</RequestId>
</ErrorResponse>
"""

RECORDED = {
    "ExpiredToken": "The security token included in the request is expired",
    "InvalidClientTokenId": "The security token included in the request is invalid.",
    "SignatureDoesNotMatch": "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    "AccessDenied": "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: "
    "cloudformation:DescribeStacks on resource: "
    "arn:aws:cloudformation:eu-west-1:123456789012:stack/sls-ml-fruit-dev/* because no identity-based policy "
    "allows the cloudformation:DescribeStacks action",
}


@contextmanager
def answering(body: str) -> Iterator[str]:
    """A server that refuses every request with the same words, as AWS does."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(403)
            self.send_header("content-type", "text/xml")
            self.send_header("content-length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("code", RECORDED)
def test_golden_aws_refuses(project: Path, message: Message, code: str) -> None:
    # GIVEN an account that refuses
    with answering(ANSWER.format(code=code, message=RECORDED[code])) as url:
        # WHEN it is asked what is deployed
        done = run(project, "status", variables={**KEYS, "AWS_ENDPOINT_URL": url})
    # THEN the command says what to do, with the exit code of the outside world
    assert done.code == 8
    message(f"aws-{code}", done)


def test_golden_no_credentials(project: Path, tmp_path: Path, message: Message) -> None:
    variables = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
    done = run(project, "status", variables=variables)
    assert done.code == 8
    message("aws-no-credentials", done)


def test_golden_no_such_profile(project: Path, tmp_path: Path, message: Message) -> None:
    done = run(project, "status", variables={"HOME": str(tmp_path), "AWS_PROFILE": "nobody"})
    assert done.code == 8
    message("aws-no-profile", done)


def test_golden_a_region_that_is_none(project: Path, message: Message) -> None:
    spec = project / "sls-ml.yaml"
    spec.write_text(spec.read_text().replace("eu-west-1", "eu-wets-1"))
    done = run(project, "status", variables=KEYS)
    assert done.code == 8
    message("aws-region", done)


def test_golden_nothing_answers(project: Path, message: Message) -> None:
    done = run(project, "status", variables={**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    assert done.code == 8
    message("aws-unreachable", done)
