import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

from hkjax.geometry import cones
from hkjax.models.hakg.config import HAKGConfig
from hkjax.models.hakg.losses import contrastive_loss, cosines, pair_losses
from hkjax.ops.rows import l2_normalize


def test_the_ranking_loss_by_hand():
    user = jnp.array([[1.0, 0.0]])
    entity, item = jnp.array([[0.6, 0.8], [0.8, 0.6], [0.0, 1.0]]), jnp.array([[1.0, 0.0], [0.6, 0.8], [0.28, 0.96]])
    rows = {"user": user, "positive": jnp.array([0]), "negative": jnp.array([[1, 2, 2]])}
    loss = contrastive_loss(cosines(tables=[entity, item], **rows), margin=0.5)
    # relu(2 - 0.6 - 1) + (0.8 - 0.5) / 1 active + (0.6 - 0.5) / 1 active.
    np.testing.assert_allclose(loss, [0.4 + 0.3 + 0.1], rtol=1e-4)


def test_without_an_active_negative_only_the_positive_counts():
    user, table = jnp.array([[1.0, 0.0]]), jnp.array([[1.0, 0.0], [-1.0, 0.0]])
    (of_table,) = cosines(user, [table], jnp.array([0]), jnp.array([[1, 1]]))
    np.testing.assert_allclose(contrastive_loss([of_table], 0.5), [0.0])


def test_the_angle_loss_is_0_in_the_cone_and_its_gradient_pushes_inwards_elsewhere():
    config, apex = HAKGConfig(), jnp.array([0.3, 0.0])

    def loss(y):
        return pair_losses(config, apex @ apex, apex @ y, y @ y)

    inside, outside = jnp.array([0.6, 0.01]), jnp.array([0.3, 0.4])
    assert loss(inside) == 0
    value, gradient = jax.value_and_grad(loss)(outside)
    angle, aperture = cones.angle_at_apex(apex, outside, 1.0), cones.half_aperture(apex, config.aperture, 1.0)
    np.testing.assert_allclose(value, angle - aperture, rtol=1e-5)
    assert loss(outside - 0.01 * gradient) < value


def test_rows_of_length_zero_stay_so_with_a_finite_gradient():
    with jax.enable_x64(True):
        x = jnp.array([[3.0, 4.0], [0.0, 0.0]])
        np.testing.assert_allclose(l2_normalize(x), [[0.6, 0.8], [0.0, 0.0]], rtol=1e-12)
        assert bool(jnp.isfinite(jax.jit(jax.jacobian(l2_normalize))(x)).all())
        check_grads(jax.jit(lambda row: jnp.sin(l2_normalize(row))), (x[:1],), order=1)
