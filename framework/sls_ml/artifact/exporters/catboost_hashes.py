"""The hashes that CatBoost keeps of categories: CityHash64 of version 1.0, and its fold over several values.

Version 1.0 gives other numbers than later ones, which the packages of that name implement. The sizes in bytes
at which it changes its way, and its constants, are those of the description that its authors published.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

_MASK = (1 << 64) - 1
_K0, _K1, _K2, _K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
_MIX = 0x9DDFEA08EB382D69
_FOLD = np.uint64(0x4906BA494954CB65)


def of_texts(texts: Iterable[str]) -> Hashes:
    """The hash of each text as the models hold it: the lower 32 bits, with their sign, as 64 bits."""
    low = np.fromiter((_city(text.encode()) & 0xFFFFFFFF for text in texts), dtype=np.uint32)
    return low.view(np.int32).astype(np.int64).view(np.uint64)


def folded(before: Hashes, value: Hashes) -> Hashes:
    """The hash of a combination with one more value; that of none is 0."""
    return _FOLD * (before + _FOLD * value)


def _city(data: bytes) -> int:
    size = len(data)
    if size <= 16:
        return _up_to_16(data, size)
    if size <= 32:
        return _up_to_32(data, size)
    return _up_to_64(data, size) if size <= 64 else _beyond(data, size)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _half(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _turned(value: int, by: int) -> int:
    """Rotated to the right."""
    value &= _MASK
    return (value >> by | value << (64 - by)) & _MASK


def _shifted(value: int) -> int:
    value &= _MASK
    return value ^ value >> 47


def _pair(low: int, high: int) -> int:
    """Two words as one."""
    low, high = low & _MASK, high & _MASK
    first = _shifted((low ^ high) * _MIX)
    return _shifted((high ^ first) * _MIX) * _MIX & _MASK


def _up_to_16(data: bytes, size: int) -> int:
    if size > 8:
        last = _word(data, size - 8)
        return _pair(_word(data, 0), _turned(last + size, size)) ^ last
    if size >= 4:
        return _pair(size + (_half(data, 0) << 3), _half(data, size - 4))
    if size:
        low = data[0] + (data[size >> 1] << 8)
        high = size + (data[-1] << 2)
        return _shifted(low * _K2 & _MASK ^ high * _K3 & _MASK) * _K2 & _MASK
    return _K2


def _up_to_32(data: bytes, size: int) -> int:
    a, b = _word(data, 0) * _K1, _word(data, 8)
    c, d = _word(data, size - 8) * _K2, _word(data, size - 16) * _K0
    return _pair(_turned(a - b, 43) + _turned(c, 30) + d, a + _turned(b ^ _K3, 20) - c + size)


def _up_to_64(data: bytes, size: int) -> int:
    first = _word(data, 0) + (size + _word(data, size - 16)) * _K0
    v = _run(first, _word(data, 24), _word(data, 8), _word(data, 16))
    w = _run(
        _word(data, 16) + _word(data, size - 32),
        _word(data, size - 8),
        _word(data, size - 24),
        _word(data, size - 16),
    )
    mixed = _shifted((v[0] + w[1]) * _K2 + (w[0] + v[1]) * _K0)
    return _shifted(mixed * _K0 + v[1]) * _K2 & _MASK


def _run(a: int, z: int, second: int, third: int) -> tuple[int, int]:
    b, c = _turned(a + z, 52), _turned(a, 37)
    a += second
    c += _turned(a, 7)
    a += third
    return a + z, b + _turned(a, 31) + c


def _weak(data: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    """Two words of 32 bytes and two seeds."""
    w, x, y, z = (_word(data, at + step) for step in (0, 8, 16, 24))
    a += w
    b = _turned(b + a + z, 21)
    start = a
    a += x + y
    return (a + z) & _MASK, (b + _turned(a, 44) + start) & _MASK


def _beyond(data: bytes, size: int) -> int:
    x, y, z = _word(data, 0), _word(data, size - 16) ^ _K1, _word(data, size - 56) ^ _K0
    v = _weak(data, size - 64, size, y)
    w = _weak(data, size - 32, size * _K1, _K0)
    z += _shifted(v[1]) * _K1
    x = _turned(z + x, 39) * _K1
    y = _turned(y, 33) * _K1
    for at in range(0, (size - 1) & ~63, 64):
        x = _turned(x + y + v[0] + _word(data, at + 16), 37) * _K1
        y = _turned(y + v[1] + _word(data, at + 48), 42) * _K1
        x ^= w[1]
        y ^= v[0]
        z = _turned(z ^ w[0], 33)
        v = _weak(data, at, v[1] * _K1, x + w[0])
        w = _weak(data, at + 32, z + w[1], y)
        z, x = x, z
    return _pair(_pair(v[0], w[0]) + _shifted(y) * _K1 + z, _pair(v[1], w[1]) + x)
