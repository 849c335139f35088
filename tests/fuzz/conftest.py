"""Who runs the cases, and two trained work directories to damage."""

import os
from pathlib import Path

import pytest

from tests.fuzz.promise import Commands, is_long
from tests.fuzz.trained import train_in_part


@pytest.fixture(scope="session")
def commands():
    log = os.environ.get("HKJAX_FUZZ_LOG")
    found = Commands(Path(log) if log else None)
    yield found
    found.close()


@pytest.fixture(scope="session", params=["hkrm", "hakg"] if is_long() else ["hkrm"])
def trained(request, commands, tmp_path_factory):
    return train_in_part(request.param, commands, tmp_path_factory.mktemp(request.param))
