import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from jax.test_util import check_grads

from hkjax.models.hakg.losses import angle_loss, contrastive_loss, cosines
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


# Differences below 1e-300, which XLA takes for 0, do not occur.
shares_of_pi = st.integers(0, 10**6).map(lambda n: n * np.pi / 10**6)


@given(shares_of_pi, shares_of_pi)
def test_the_angle_loss_is_zero_exactly_inside_the_cone(angle, aperture):
    with jax.enable_x64(True):
        loss = angle_loss(jnp.asarray(angle), jnp.asarray(aperture))
        assert (loss == 0) == (angle <= aperture)
        assert loss == max(angle - aperture, 0)


def test_its_gradient_pushes_what_lies_outside_inwards():
    angles, apertures = jnp.array([0.2, 0.5, 0.9]), jnp.array([0.5, 0.5, 0.5])
    np.testing.assert_allclose(angle_loss(angles, apertures), [0, 0, 0.4], rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(angle_loss))(angles, apertures), [0, 0, 1])


def test_rows_of_length_zero_stay_so_with_a_finite_gradient():
    with jax.enable_x64(True):
        x = jnp.array([[3.0, 4.0], [0.0, 0.0]])
        np.testing.assert_allclose(l2_normalize(x), [[0.6, 0.8], [0.0, 0.0]], rtol=1e-12)
        assert bool(jnp.isfinite(jax.jit(jax.jacobian(l2_normalize))(x)).all())
        check_grads(jax.jit(lambda row: jnp.sin(l2_normalize(row))), (x[:1],), order=1)
