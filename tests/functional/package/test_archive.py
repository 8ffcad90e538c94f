"""A zip written from members reads as one, and gives its members back."""

from __future__ import annotations

import zipfile

import pytest

from sls_ml.package import archive


def test_any_reader_reads_what_was_written(tmp_path):
    # GIVEN members in no order, one empty, one with a name that is not ASCII
    files = {"b/c.txt": b"text" * 100, "a.so": b"\x7fELF", "empty": b"", "ä.py": b"x = 1\n"}
    # WHEN they are written
    archive.write(tmp_path / "out.zip", [archive.deflate(path, data) for path, data in files.items()])
    # THEN the standard library reads them all, sorted
    with zipfile.ZipFile(tmp_path / "out.zip") as reader:
        assert reader.testzip() is None
        assert reader.namelist() == sorted(files)
        assert {name: reader.read(name) for name in reader.namelist()} == files


def test_members_are_taken_over_as_they_are(tmp_path):
    # GIVEN a written zip
    members = [archive.deflate("a", b"one"), archive.deflate("b", b"two" * 999)]
    archive.write(tmp_path / "out.zip", members)
    # THEN reading gives the same compressed members
    assert list(archive.read(tmp_path / "out.zip")) == members


def test_failed_write_leaves_the_old_file(tmp_path):
    # GIVEN a zip, and members that end in an error
    target = tmp_path / "out.zip"
    archive.write(target, [archive.deflate("a", b"old")])
    before = target.read_bytes()

    # WHEN the write fails half way
    def fail():
        with archive.replacing(target) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    # THEN the old file is whole, and nothing else is there
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
