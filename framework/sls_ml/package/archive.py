"""Writes a zip whose bytes depend on its content alone, and takes compressed files over from another zip."""

from __future__ import annotations

import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

LEVEL = 6
"""Deflate level: 9 takes more than twice the time on libonnxruntime.so for 0.4 % less."""

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _UTF8, _DEFLATE = 20, 0x800, 8
_UNIX, _REGULAR = 3, 0o100000
_TIME, _DATE = 0, 0x21  # 1980-01-01 00:00, the first that a zip can say


@dataclass(frozen=True)
class Member:
    """One compressed file: its path in the zip, its size unpacked, CRC-32 and deflated bytes."""

    path: str
    size: int
    crc: int
    deflated: bytes = field(repr=False)

    @property
    def mode(self) -> int:
        """Permission bits: shared libraries are executable, all else is readable."""
        name = self.path.rpartition("/")[2]
        return 0o755 if name.endswith((".so", ".dylib")) or ".so." in name else 0o644


def deflate(path: str, content: bytes) -> Member:
    """Compress one file. zlib works outside the interpreter lock, so that threads do this side by side."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = compressor.compress(content) + compressor.flush()
    return Member(path, len(content), zlib.crc32(content), deflated)


def write(path: Path, members: Iterable[Member]) -> None:
    """Write a zip of all members, sorted by path, in place of `path` at once.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    with replacing(path) as file:
        directory = bytearray()
        count = 0
        for member in sorted(members, key=lambda member: member.path):
            name = member.path.encode()
            sizes = (member.crc, len(member.deflated), member.size)
            directory += _CENTRAL.pack(
                *(b"PK\x01\x02", _UNIX << 8 | _VERSION, _VERSION, _UTF8, _DEFLATE, _TIME, _DATE, *sizes),
                *(len(name), 0, 0, 0, 0, (_REGULAR | member.mode) << 16, file.tell()),
            )
            directory += name
            header = (b"PK\x03\x04", _VERSION, _UTF8, _DEFLATE, _TIME, _DATE, *sizes, len(name), 0)
            file.write(_LOCAL.pack(*header) + name)
            file.write(member.deflated)
            count += 1
        start = file.tell()
        file.write(directory)
        file.write(_END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), start, 0))


def read(path: Path) -> Iterator[Member]:
    """The members of a zip that `write` wrote, still compressed.

    Raises:
        zipfile.BadZipFile: The file is no zip, or cut short.
    """
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            file.seek(info.header_offset)
            header = file.read(_LOCAL.size)
            if len(header) < _LOCAL.size:
                raise zipfile.BadZipFile(f"{path} is cut short")
            name_length, extra_length = _LOCAL.unpack(header)[-2:]
            file.seek(name_length + extra_length, os.SEEK_CUR)
            yield Member(info.filename, info.file_size, info.CRC, file.read(info.compress_size))


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` when all of it is written, and leaves no trace when it is not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 - an open descriptor
            yield file
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
