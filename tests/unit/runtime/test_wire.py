"""Answers of HTTP servers are read whole, or it is an error that says what is wrong with them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sls_ml_runtime.wire import Connection, WireError

OK = b"HTTP/1.1 200 OK\r\n"
PATIENCE = 30
"""Seconds after which nothing more is waited for."""
CHUNKED = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Answer each request of each connection with the next of some bytes; gives the address."""
    opened: list[tuple[socket.socket, Thread]] = []

    def start(*answers: bytes, context: ssl.SSLContext | None = None) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(PATIENCE)
        left = list(answers)

        def run() -> None:
            while left:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connection.settimeout(PATIENCE)
                if context is not None:
                    try:
                        connection = context.wrap_socket(connection, server_side=True)
                    except OSError:
                        continue
                with connection:
                    while left and connection.recv(1 << 16):
                        answer = left.pop(0)
                        connection.sendall(answer)
                        if not any(word in answer.lower() for word in (b"length", b"chunked")):
                            break

        thread = Thread(target=run, daemon=True)
        thread.start()
        opened.append((listening, thread))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield start
    for listening, thread in opened:
        with suppress(OSError):  # to close a socket does not wake a thread that waits in it
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 200, b"ab"),
        (b"HTTP/1.1 404\r\ncontent-length:0\r\n\r\n", 404, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", 200, b"a"),
        (CHUNKED + b"2;x=y\r\nab\r\n1\r\nc\r\n0\r\nt: 1\r\n\r\n", 403, b"abc"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, b""),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", 200, b"to the end"),
    ],
)
def test_reads_an_answer(serve: Callable[..., str], answer: bytes, status: int, body: bytes) -> None:
    # GIVEN a server WHEN it is asked twice THEN both answers are there
    connection = Connection(serve(answer, answer), 5)
    for _ in range(2):
        assert connection.request("GET", "/", {})[::2] == (status, body)
    connection.close()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "closed the connection"),
        (b"SSH-2.0-OpenSSH\r\n", "not HTTP"),
        (b"HTTP/1.1 OK\r\n", "not HTTP"),
        (OK + b"content-le", "a line of the answer is cut off"),
        (OK + b"".join(b"a%d: b\r\n" % count for count in range(200)), "too many headers"),
        (OK + b"content-length: -1\r\n\r\n", "is no number"),
        (OK + b"content-size: 9\r\nContent-Length: 9\r\nconnection: close\r\n\r\nab", "cut off"),
        (OK + b"transfer-encoding: chunked\r\n\r\nx\r\n", "no length"),
        (OK + b"transfer-encoding: chunked\r\n\r\n1\r\nabc\r\n", "a chunk of the answer is cut off"),
    ],
)  # fmt: skip
def test_says_what_is_wrong(serve: Callable[..., str], answer: bytes, message: str) -> None:
    # GIVEN a server whose answer is none, or not whole, and one that is
    right = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(PATIENCE)

    def run() -> None:
        for each in (answer, right):
            accepted, _ = listening.accept()
            accepted.settimeout(PATIENCE)
            with accepted:
                accepted.recv(1 << 16)
                accepted.sendall(each)

    thread = Thread(target=run, daemon=True)
    thread.start()
    connection = Connection(f"http://127.0.0.1:{listening.getsockname()[1]}", 5)

    # WHEN it is asked THEN the error says so
    with pytest.raises(WireError, match=message):
        connection.request("GET", "/", {})

    # AND the next request opens another connection
    assert connection.request("GET", "/", {})[2] == b"a"
    connection.close()
    thread.join(PATIENCE)
    listening.close()


def test_fills_memory_only_with_a_body_of_its_size(serve: Callable[..., str]) -> None:
    # GIVEN a server WHEN the body has another size, another status, and the right ones
    answer = b"HTTP/1.1 %d -\r\ncontent-length: 3\r\n\r\nabc"
    connection = Connection(serve(answer % 200, answer % 404, answer % 206), 5)
    target = bytearray(3)
    with memoryview(target) as view:
        short, missing = (connection.request("GET", "/", {}, into=part) for part in (view[:2], view))
        assert (short[2], missing[2], target) == (b"abc", b"abc", bytearray(3))

        # THEN only the right one goes into the memory
        assert connection.request("GET", "/", {}, into=view)[2] == b""
        assert target == b"abc"
    connection.close()


def test_checks_the_certificate_of_a_server(
    serve: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a server with a certificate that no authority has signed
    certificate = certify(tmp_path / "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    answer = OK + b"content-length: 1\r\n\r\na"
    address = serve(answer, answer, context=context).replace("http:", "https:")

    # WHEN it is asked THEN there is no answer
    with pytest.raises(ssl.SSLCertVerificationError):
        Connection(address, 5).request("GET", "/", {})

    # AND by who trusts it there is
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    connection = Connection(address, 5)
    assert connection.request("GET", "/", {})[2] == b"a"
    connection.close()


def certify(path: Path) -> Path:
    """Write a key and a certificate for 127.0.0.1 that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "server")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
