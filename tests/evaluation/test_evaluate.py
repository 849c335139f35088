"""Validation, which runs after every epoch."""

import jax
import pytest

from hkjax.evaluation.evaluate import make_validator
from hkjax.models.hkrm.config import HKRMConfig
from hkjax.models.hkrm.model import hkrm


@pytest.mark.parametrize("monitor", ["auc", "recall@20"])
def test_validation_compiles_once(monitor, tiny_data):
    model, traced = hkrm(HKRMConfig(dim=4), tiny_data, batch_size=32), []

    def counted(name):
        def function(*args):
            traced.append(name)
            return getattr(model, name)(*args)

        return function

    names = "encode", "score_pairs", "score_all_items"
    validate = make_validator(model._replace(**{name: counted(name) for name in names}), tiny_data, monitor)
    first, second = (validate(model.init(jax.random.key(seed))) for seed in (0, 1))
    assert first[monitor] != second[monitor]
    assert sorted(traced) == sorted({*traced})
    assert "encode" in traced
