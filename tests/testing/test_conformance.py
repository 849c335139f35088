import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.models.base import shard_by_type
from hkjax.models.lightgcn import LightGCNConfig, lightgcn
from hkjax.testing import check_meshes, check_recommender


@pytest.fixture(scope="module")
def recommender(tiny_data):
    return lightgcn(LightGCNConfig(dim=4, layers=1), tiny_data, batch_size=32)


def broken_loss(recommender, change):
    def loss(params, inputs, batch, key):
        value, metrics = recommender.loss(params, inputs, batch, key)
        return change(value, params, batch), metrics

    return recommender._replace(loss=loss)


ONES = jnp.ones(5)
BREAKS = {
    "expected a scalar": lambda r: broken_loss(r, lambda v, p, b: v[None]),
    "not finite": lambda r: broken_loss(r, lambda v, p, b: v + jnp.sqrt(0 * p["user"][0, 0])),
    "weight 0": lambda r: broken_loss(r, lambda v, p, b: v + b["item"].sum()),
    "closes over": lambda r: broken_loss(r, lambda v, p, b: v + ONES[b["user"][0] * 0]),
    "differ on item": lambda r: r._replace(score_pairs=lambda x, users, items: r.score_pairs(x, users, items) + 1),
    "misses or repeats": lambda r: r._replace(
        batches=r.batches._replace(buckets=jnp.zeros_like(r.batches.buckets)),
    ),
}


@pytest.mark.parametrize("message", BREAKS)
def test_each_defect_is_named(recommender, message):
    check_recommender(recommender)
    with pytest.raises((AssertionError, TypeError), match=message):
        check_recommender(BREAKS[message](recommender))


def test_a_loss_that_is_no_function_of_its_arguments_is_caught(recommender):
    def loss(params, inputs, batch, key):
        value, metrics = recommender.loss(params, inputs, batch, key)
        return value + jax.pure_callback(
            lambda: np.float32(np.random.rand()), jax.ShapeDtypeStruct((), jnp.float32)
        ), metrics

    with pytest.raises(AssertionError, match="does not depend only on its arguments"):
        check_recommender(recommender._replace(loss=loss))


def test_a_raw_lookup_in_a_divided_table_is_caught(recommender):
    def loss(params, inputs, batch, key):
        value = jnp.mean(batch["weight"] * jnp.sum(params["user"][batch["user"]] ** 2, axis=-1))
        return value, {"loss": value}

    with pytest.raises(AssertionError, match=r"on the mesh \(1, 4\): loss"):
        check_meshes(recommender._replace(loss=loss))


def test_a_metric_may_have_the_name_of_a_table(recommender):
    def loss(*args):
        value, metrics = recommender.loss(*args)
        return value, {**metrics, "item": value}

    check_meshes(recommender._replace(loss=loss), [(1, 4)])


def test_a_table_that_is_no_parameter_is_named(recommender):
    shard = shard_by_type(recommender.inputs, tables=("user", "items"))
    with pytest.raises(AssertionError, match=r"tables \['items'\] are not among the parameters"):
        check_meshes(recommender._replace(shard=shard), [(1, 4)])


def test_a_representation_with_other_rows_than_users_and_items_is_caught(recommender):
    scaled = recommender._replace(
        encode=lambda params, inputs: {**recommender.encode(params, inputs), "scale": jnp.arange(1.0, 4)},
        score_all_items=lambda r, users: r["scale"].sum() * recommender.score_all_items(r, users),
    )
    with pytest.raises(AssertionError, match=r"on the mesh \(1, 4\): score_all_items"):
        check_meshes(scaled, [(1, 4)])
