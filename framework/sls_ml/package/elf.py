"""Reads from a shared library which machine it is for and which glibc it asks for."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from sls_ml.spec.model import Architecture

_MACHINES: dict[int, Architecture] = {62: "x86_64", 183: "arm64"}
_VERSION_NEEDS = 0x6FFFFFFE  # section type SHT_GNU_verneed
_SECTION = struct.Struct("<2I4Q2I2Q")
_NEED = struct.Struct("<2H3I")
_NEED_ENTRY = struct.Struct("<I2H2I")
_GLIBC = re.compile(rb"GLIBC_(\d+)\.(\d+)")


@dataclass(frozen=True)
class Library:
    """A 64-bit little-endian ELF file.

    Attributes:
        machine: What it runs on, or None for a machine that functions do not have.
        glibc: The newest glibc that it asks for, or None when it asks for none.
    """

    machine: Architecture | None
    glibc: tuple[int, int] | None


def read(content: bytes) -> Library | None:
    """Read an ELF file's header and version needs; None for bytes that are not such a file."""
    if content[:6] != b"\x7fELF\x02\x01":
        return None
    (machine,) = struct.unpack_from("<H", content, 18)
    try:
        glibc = max(_glibc_versions(content), default=None)
    except struct.error:  # section headers point beyond the file: cut short, or taken out
        glibc = None
    return Library(_MACHINES.get(machine), glibc)


def _glibc_versions(content: bytes) -> list[tuple[int, int]]:
    """Every ``GLIBC_x.y`` in the table of version needs (.gnu.version_r)."""
    (table,) = struct.unpack_from("<Q", content, 40)
    size, count = struct.unpack_from("<2H", content, 58)
    sections = [_SECTION.unpack_from(content, table + index * size) for index in range(count)]
    versions = []
    for _, kind, _, _, start, _, link, needs, _, _ in sections:
        if kind != _VERSION_NEEDS:
            continue
        offset, strings = start, sections[link][4]
        for _ in range(needs):
            _, entries, _, first, following = _NEED.unpack_from(content, offset)
            entry = offset + first
            for _ in range(entries):
                _, _, _, name, step = _NEED_ENTRY.unpack_from(content, entry)
                if match := _GLIBC.match(content, strings + name):
                    versions.append((int(match[1]), int(match[2])))
                entry += step
            offset += following
    return versions
