"""Files are whole or not there, and damage shows."""

import shutil
import subprocess

import pytest

from hkjax.errors import InputError
from hkjax.files import check_sums, clear_errors, write_sums, write_whole


@pytest.fixture
def folder(tmp_path):
    for name in ("a.txt", "b c.txt"):
        write_whole(tmp_path / name, f"{name}\n")
    write_sums(tmp_path, ["a.txt", "b c.txt"])
    return tmp_path


def test_what_is_as_it_was_written_passes(folder):
    check_sums(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["SHA256SUMS", "a.txt", "b c.txt"]
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)


@pytest.mark.parametrize("content", [b"a.txt\r", b"", b"\xff\xfe"])
def test_other_content_is_named(folder, content):
    (folder / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"a.txt: not as it was written"):
        check_sums(folder)


def test_a_missing_file_is_named(folder):
    (folder / "b c.txt").unlink()
    with pytest.raises(InputError, match=r"'b c.txt' of SHA256SUMS is missing"):
        check_sums(folder)


@pytest.mark.parametrize("sums", [b"\x00\x01", b"nonsense\n", b"0" * 64 + b"  a.txt\n"])
def test_damaged_sums_are_no_pass(folder, sums):
    (folder / "SHA256SUMS").write_bytes(sums)
    with pytest.raises(InputError):
        check_sums(folder)


def test_a_folder_without_sums_is_not_checked(tmp_path):
    check_sums(tmp_path)


def test_what_can_not_be_written_is_named(tmp_path):
    with (
        pytest.raises(InputError, match=r"out: can't be written .No space left on device."),
        clear_errors(tmp_path / "out"),
    ):
        raise OSError(28, "No space left on device")


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    write_whole(tmp_path / "x", "old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(InputError, match=r"x: can't be written .full."):
        write_whole(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "old"
