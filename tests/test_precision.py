"""Everything lowers for accelerators, where no matrix product may round its factors."""

import jax
import jax.numpy as jnp
import pytest

from hkjax.data.batching import epoch_order, get_batch
from hkjax.geometry import cones
from hkjax.geometry import poincare as ball
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.model import hakg
from hkjax.precision import full_precision, sum_of_products
from tests.zoo import MODELS

POINT = jnp.full(3, 0.1)
GEOMETRY = {
    "mobius_add": lambda x: ball.mobius_add(x, x, 1.0),
    "exp_map": lambda x: ball.exp_map(x, x, 1.0),
    "log_map": lambda x: ball.log_map(x, -x, 1.0),
    "distance": lambda x: ball.distance(x, -x, 1.0),
    "parallel_transport": lambda x: ball.parallel_transport(x, -x, x, 1.0),
    "gyration": lambda x: ball.gyration(x, -x, x, 1.0),
    "half_aperture": lambda x: cones.half_aperture(x, 0.1, 1.0),
    "angle_at_apex": lambda x: cones.angle_at_apex(x, -x, 1.0),
}


def products(platform, function, *args):
    """The matrix products of a function, as lowered for a platform."""
    lowered = jax.jit(function).trace(*args).lower(lowering_platforms=(platform,))
    return [line for line in lowered.as_text().splitlines() if "dot_general" in line]


def in_full_precision(products):
    return products and all("precision = [HIGHEST, HIGHEST]" in line for line in products)


def test_the_decorator_is_what_asks_for_it():
    assert not in_full_precision(products("cuda", lambda x: x @ x, POINT))
    assert in_full_precision(products("cuda", full_precision(lambda x: x @ x), POINT))
    assert in_full_precision(products("cuda", jax.grad(full_precision(lambda x: x @ (2 * x))), POINT))


@pytest.mark.parametrize("name", GEOMETRY)
def test_geometry(name):
    function = GEOMETRY[name]
    assert in_full_precision(products("tpu", lambda x: jnp.sum(function(x)), POINT))
    assert in_full_precision(products("tpu", jax.vmap(jax.grad(lambda x: jnp.sum(function(x)))), POINT[None]))


@pytest.mark.parametrize(
    ("name", "platform"), [("hkrm", "cuda"), ("hakg official", "cuda"), ("hakg official", "tpu"), ("lightgcn", "tpu")]
)
def test_models(name, platform, tiny_data):
    model = MODELS[name](tiny_data)
    batch = get_batch(model.batches, epoch_order(model.batches, jax.random.key(1)), 0)
    params = jax.eval_shape(model.init, jax.random.key(0))
    representation = jax.eval_shape(model.encode, params, model.inputs)
    gradient = jax.grad(lambda *args: model.loss(*args)[0])
    of_step = products(platform, gradient, params, model.inputs, batch, jax.random.key(2))
    of_encoding = products(platform, model.encode, params, model.inputs)
    of_ranking = products(platform, model.score_all_items, representation, jnp.arange(2))
    assert in_full_precision(of_step + of_encoding + of_ranking)
    assert of_ranking


def test_factors_are_rounded_and_sums_are_not():
    ones = jnp.ones(300)
    rounded = sum_of_products([1 + 2.0**-9 * ones], [ones], "bfloat16")
    assert (rounded.dtype, float(rounded)) == (jnp.float32, 300)
    assert float(sum_of_products([1 + 2.0**-9 * ones], [ones], "float32")) == pytest.approx(
        300 * (1 + 2.0**-9), rel=1e-6
    )


def test_hakg_with_rounded_factors_is_hakg_up_to_their_rounding(tiny_data):
    choices = {"dim": 8, "layers": 1, "negatives": 5, "edge_keep": 1.0, "interaction_keep": 1.0}
    of = {}
    for dtype in ("float32", "bfloat16"):
        model = hakg(HAKGConfig(**choices, matmul_dtype=dtype), tiny_data, batch_size=32)
        params = jax.tree.map(lambda x: 4 * x, jax.jit(model.init)(jax.random.key(0)))
        batch = get_batch(model.batches, epoch_order(model.batches, jax.random.key(1)), 0)
        loss = jax.jit(jax.value_and_grad(model.loss, has_aux=True))
        of[dtype] = loss(params, model.inputs, batch, jax.random.key(2))
    (loss, _), gradients = of["float32"]
    (rounded_loss, _), rounded_gradients = of["bfloat16"]
    assert 0 < abs(rounded_loss - loss) < 2.0**-8 * loss
    for x, y in zip(jax.tree.leaves(rounded_gradients), jax.tree.leaves(gradients), strict=True):
        assert x.dtype == jnp.float32
        assert jnp.linalg.norm(x - y) < 0.02 * jnp.linalg.norm(y)
