"""ELF files tell their machine and the glibc that they need."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from sls_ml.package import elf


def test_the_running_interpreter_is_read():
    # GIVEN a real program of this machine
    program = Path(sys.executable).resolve().read_bytes()
    if not program.startswith(b"\x7fELF"):
        pytest.skip("this machine's programs are not ELF files")
    # WHEN it is read
    library = elf.read(program)
    # THEN it is for this machine and needs some glibc 2
    assert library is not None
    assert library.machine in {"x86_64", "arm64"}
    assert library.glibc is None or library.glibc[0] == 2


@pytest.mark.parametrize("content", [b"", b"print()", b"\x7fELF\x01\x01" + bytes(60)])
def test_other_files_are_none(content):
    # GIVEN bytes that are no 64-bit ELF file
    # THEN they are not read as one
    assert elf.read(content) is None


def test_unknown_machine_and_cut_file():
    # GIVEN a header of a RISC-V library whose sections are cut off
    header = b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 243) + bytes(20) + struct.pack("<Q", 9999)
    header += bytes(10) + struct.pack("<2H", 64, 3)
    # WHEN it is read
    library = elf.read(header)
    # THEN the machine is none of ours
    assert library == elf.Library(None, None)
