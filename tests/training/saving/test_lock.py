"""One process trains in a directory at a time."""

import fcntl
import os
import subprocess
import sys
import time

import pytest

from hkjax.errors import InputError
from hkjax.training.saving.lock import lock_workdir

HOLD = """
import sys, time
from pathlib import Path
from hkjax.training.saving.lock import lock_workdir
with lock_workdir(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_the_second_is_told_who_holds_it(tmp_path):
    with lock_workdir(tmp_path / "run"):
        message = f"process {os.getpid()} on .* trains here; wait for its end"
        with pytest.raises(InputError, match=message), lock_workdir(tmp_path / "run"):
            pass
        (tmp_path / "run/config.json").write_text("{}")
    with lock_workdir(tmp_path / "run"):
        pass
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_a_directory_that_nothing_came_of_is_gone(tmp_path):
    with pytest.raises(ValueError, match="no data"), lock_workdir(tmp_path / "run"):
        raise ValueError("no data")
    assert not (tmp_path / "run").exists()


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(InputError, match=f"process {process.pid} on"), lock_workdir(tmp_path):
        pass
    process.kill()
    process.wait()
    with lock_workdir(tmp_path):
        pass


def test_a_holder_that_has_just_let_go_of_the_file_does_not_count(tmp_path, monkeypatch):
    """Between opening and locking the file, its last holder removes it."""
    flock, removed = fcntl.flock, []

    def remove_first(file, how):
        if not removed:
            removed.append(time.monotonic())
            (tmp_path / "lock").unlink()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with lock_workdir(tmp_path):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()}")


def test_a_directory_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/run: can't be written"), lock_workdir(tmp_path / "file/run"):
        pass
