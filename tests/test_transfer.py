import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax import transfer


def test_one_is_always_ahead():
    started = []

    def results():
        for i in range(4):
            started.append(i)
            yield i

    for i, result in enumerate(transfer.one_ahead(results())):
        assert result == i
        assert started == list(range(min(i + 2, 4)))
    assert list(transfer.one_ahead([])) == []


@pytest.mark.parametrize("there_are_cpus", [True, False])
def test_on_the_host_arrays_lie_on_a_cpu_if_there_is_one(there_are_cpus, monkeypatch):
    def local_devices(backend):
        if not there_are_cpus:
            raise RuntimeError(f"no backend {backend}")
        return jax.devices()

    monkeypatch.setattr(jax, "local_devices", local_devices)
    with jax.default_device(jax.devices()[3]), transfer.on_host():
        x = jax.device_put(np.zeros(2))
    assert x.devices() == {jax.devices()[0 if there_are_cpus else 3]}
    np.testing.assert_array_equal(transfer.to_host(jnp.arange(3)), [0, 1, 2])
