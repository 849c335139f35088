"""Runs whose loss is no longer finite: they stop, or roll back to the last checkpoint with half the rate."""

import jax.numpy as jnp
import optax
import pytest

from hkjax.errors import InputError
from hkjax.training.loop import TrainingConfig, fit
from hkjax.training.progress import read_records
from hkjax.training.trainer import make_trainer
from tests.training.small_runs import assert_equal, compiled, latest, latest_params, run


def test_a_loss_that_is_no_number_ends_training_and_keeps_what_was_saved(recommender, tiny_data, tmp_path):
    run(recommender, tiny_data, tmp_path, 2)
    before = latest(recommender, tmp_path)

    def loss(params, inputs, batch, key):
        value, metrics = recommender.loss(params, inputs, batch, key)
        return value * jnp.nan, {name: metric * jnp.nan for name, metric in metrics.items()}

    with pytest.raises(InputError, match=r"training diverged by step \d+: .* is nan"):
        run(recommender._replace(loss=loss), tiny_data, tmp_path, 4)
    assert_equal(before, latest(recommender, tmp_path))
    assert len(read_records(tmp_path)) == 2


@pytest.fixture(scope="module")
def usual(recommender):
    return make_trainer(recommender, optax.sgd(0.01))


@pytest.mark.parametrize("n_steps", [0, 23])
def test_rollback_goes_on_from_the_last_checkpoint_with_half_the_rate(
    n_steps, usual, recommender, tiny_data, tmp_path, capsys
):
    # The rate is as usual for so many steps, and then beyond all bounds.
    schedule = optax.join_schedules([optax.constant_schedule(0.01), optax.constant_schedule(1e30)], [n_steps])
    diverging, halvings = make_trainer(recommender, optax.sgd(schedule)), []

    def fit_with(trainer, name, slower=None, epochs=4):
        training = TrainingConfig(32, epochs, 9, on_divergence="rollback")
        return fit(trainer, compiled(recommender, tiny_data)[1], training, 0, tmp_path / name, slower)

    for name in ("usual", "diverging"):
        (tmp_path / name).mkdir()

    def slower(n):
        halvings.append(n)
        return usual if n == 2 else diverging

    fit_with(usual, "usual")
    capsys.readouterr()
    records = fit_with(diverging, "diverging", slower)
    lines = [line for line in capsys.readouterr().out.splitlines() if "diverged" in line]
    assert halvings == [1, 2]
    assert [line.rsplit("; ", 1)[1].rsplit(" ", 1)[1] for line in lines] == ["2", "4"]
    assert ("back to the start" in lines[0]) == (n_steps == 0)
    assert [record["epoch"] for record in records] == [1, 2, 3, 4]
    ends = [latest_params(recommender, tmp_path / name) for name in ("usual", "diverging")]
    assert_equal(*ends)
    # A run that goes on knows how often its rate was halved.
    fit_with(diverging, "diverging", slower, epochs=5)
    assert halvings == [1, 2, 2]
