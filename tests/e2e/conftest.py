"""What the end-to-end tests need beside the command line."""

from __future__ import annotations

import platform
import socket
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from command_line import copy_sample, run
from sls_ml.local.managed_runtime import cache_folder

VERSION = "1.170.0"


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AWS's Runtime Interface Emulator, out of the wheel of the SAM command line."""
    folder = cache_folder() / "emulator" / VERSION
    machine = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"
    binary = folder / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{machine}"
    if not binary.exists():
        requirements = Path(__file__).with_name("emulator.txt")
        command = [find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*command, "--target", str(folder), "-r", str(requirements)], check=True)
    binary.chmod(0o755)
    return binary


@pytest.fixture
def free_ports() -> tuple[int, int]:
    """Two ports of the loopback interface that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the breast-cancer sample's endpoint, built by the command line."""
    sample = copy_sample("breast-cancer", tmp_path_factory.mktemp("packaged"))
    done = run(sample, "package", "predict", "--frozen", "--stage", "local", "--json")
    assert done.code == 0, done.out + done.err
    return Path(done.document["packages"]["predict"]["package"])
