"""Trained work directories to damage."""

import pytest

from tests.fuzz.promise import is_long
from tests.fuzz.trained import train_in_part


@pytest.fixture(scope="session", params=["hkrm", "hakg"] if is_long() else ["hkrm"])
def trained(request, commands, tmp_path_factory):
    return train_in_part(request.param, commands, tmp_path_factory.mktemp(request.param))
