"""Four host devices for every test, quick compilation, once of equal programs, and the data that tests share."""

import gc
import os
import platform
import tempfile
from importlib.metadata import version

os.environ["JAX_NUM_CPU_DEVICES"] = "4"
# On so little data, optimising a program takes longer than it saves; XLA's older emitters, which are gone in JAX 0.11,
# compile in half the time.
os.environ["XLA_FLAGS"] = " ".join(
    (
        os.environ.get("XLA_FLAGS", ""),
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
        "--xla_cpu_use_fusion_emitters=false" if version("jax").startswith("0.10.") else "",
        # On two cores, that compile two programs, dividing one for several threads costs more than it saves.
        "--xla_cpu_parallel_codegen_split_count=1",
        # Without fused multiply-add, rounding does not depend on what the compiler fuses.
        "--xla_cpu_max_isa=AVX" if platform.machine() == "x86_64" else "",
    )
)
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # Worker processes share the directory of the first.
    _cache = tempfile.TemporaryDirectory(prefix="hkjax-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name
# Programs that don't say where in the sources they come from compile sooner.
os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from hkjax.data.config import DataConfig
from hkjax.data.dataset import Dataset
from hkjax.data.synthetic import SyntheticConfig, synthetic_dataset
from tests.fuzz.promise import Commands

# The first example of a shape compiles.
hypothesis.settings.register_profile("compiled", deadline=None)
hypothesis.settings.load_profile("compiled")


def pytest_collection_finish() -> None:
    """Tracing makes objects by the million, and each search among all those of the imports for garbage takes long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


TINY = SyntheticConfig(n_users=40, n_items=25, n_fields=3, n_values=4, positives=5.0, coverage=0.7)
INDIVISIBLE = SyntheticConfig(n_users=41, n_items=26, n_fields=3, n_values=5, positives=5.0, coverage=0.7)


@pytest.fixture(scope="session")
def tiny_data() -> Dataset:
    """40 users and 25 items, some items without any attribute and some users without history."""
    return synthetic_dataset(TINY, DataConfig(), seed=0)


@pytest.fixture(scope="session")
def indivisible_data() -> Dataset:
    """41 users and 26 items: neither they nor their interactions, entities and triples are divisible by 4."""
    data = synthetic_dataset(INDIVISIBLE, DataConfig(), seed=1)
    sizes = (data.n_users, data.n_items, data.n_entities, data.train.positives().users.size, len(data.triples))
    assert all(size % 4 for size in sizes), sizes
    return data


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; skips where it is absent."""
    folder = Path(os.environ.get("HKJAX_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"real data: no folder {folder}; set HKJAX_DATA")
    return folder


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """Runs hkjax commands without the time that imports take."""
    log = os.environ.get("HKJAX_FUZZ_LOG")
    found = Commands(Path(log) if log else None)
    yield found
    found.close()
