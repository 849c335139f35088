import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hkjax.ops import pairs
from hkjax.ops.lowerings import blocks, one_hot


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("n_tables", [1, 2])
def test_scores_of_samples_are_inner_products_with_true_gradients(n_tables):
    random = np.random.default_rng(0)
    rows, *tables = (jnp.asarray(random.normal(size=(n, 3))) for n in (4, *[6] * n_tables))
    index = jnp.asarray(random.integers(6, size=(4, 11)))
    for products, table in zip(pairs.score_samples(rows, tables, index), tables, strict=True):
        np.testing.assert_allclose(products, np.einsum("bd,bkd->bk", rows, np.asarray(table)[index]), rtol=1e-12)
    loss = jax.jit(lambda rows, *tables: sum(jnp.sum(jnp.sin(x)) for x in pairs.score_samples(rows, tables, index)))
    check_grads(loss, (rows, *tables), order=2, rtol=1e-5)


@pytest.mark.parametrize("shape", [(0, 3), (4, 0)])
def test_of_no_samples_there_are_no_scores(shape):
    rows, tables, ids = jnp.ones((shape[0], 3)), [jnp.ones((6, 3))] * 2, jnp.zeros(shape, int)
    scores, back = jax.vjp(lambda rows: pairs.score_samples(rows, tables, ids), rows)
    assert [x.shape for x in scores] == [shape] * 2
    np.testing.assert_array_equal(back(scores)[0], 0 * rows)


def test_masked_gram_counts_the_dimensions_whose_bit_is_set(monkeypatch):
    monkeypatch.setattr(blocks, "SIZE", 4)
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(7, 40)))
    first, second = np.sort(random.integers(7, size=10)), random.integers(7, size=10)
    bits = jnp.asarray(random.integers(2**32, size=(10, 2), dtype=np.uint64).astype(np.uint32))
    mask = np.asarray(pairs.unpack_bits(bits, jnp.arange(40)))
    assert mask[3, 33] == bool(int(bits[3, 1]) >> 1 & 1)
    a, b = np.asarray(x)[first], np.asarray(x)[second]
    expected = np.stack([(mask * p * q).sum(-1) for p, q in ((a, a), (a, b), (b, b))], axis=-1)
    gram = partial(pairs.masked_gram, first=first, second=second, order=np.argsort(second), bits=bits)
    np.testing.assert_allclose(gram(x, dimensions=jnp.arange(40)), expected, rtol=1e-12)
    parts = [gram(x[:, part], dimensions=part) for part in (jnp.arange(30), jnp.arange(30, 40))]
    np.testing.assert_allclose(sum(parts), expected, rtol=1e-12)
    loss = jax.jit(lambda x: jnp.sum(jnp.sin(gram(x, dimensions=jnp.arange(40)))))
    check_grads(loss, (x,), order=2, rtol=1e-5)


def test_on_gpus_sampled_rows_and_angle_pairs_are_added_in_order():
    rows, ids, bits = jnp.ones((6, 4)), jnp.zeros((6, 3), jnp.int32), jnp.zeros((6, 1), jnp.uint32)

    def loss(x):
        gram = pairs.masked_gram(x, ids[:, 0], ids[:, 1], jnp.arange(6), bits, jnp.arange(4))
        return jnp.sum(gram) + sum(jnp.sum(scores) for scores in pairs.score_samples(rows, [x, x**2], ids))

    text = jax.jit(jax.grad(loss)).trace(rows).lower(lowering_platforms=("cuda",)).as_text()
    in_order = re.findall(r'"stablehlo.scatter"\(.*?\) <\{indices_are_sorted = (\w+)', text)
    # The samples of both tables, and both ends of the pairs.
    assert in_order == ["true"] * 3


@pytest.mark.parametrize(("beyond", "gathers"), [(0, False), (1, True)])
def test_on_tpus_large_tables_are_gathered_from(beyond, gathers):
    shapes = [(8, 4), (one_hot.MOST_ROWS + beyond, 4)]
    rows, table = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes)
    ids = jax.ShapeDtypeStruct((8, 3), jnp.int32)
    lowered = jax.jit(pairs.score_samples).trace(rows, [table], ids).lower(lowering_platforms=("tpu",))
    assert ("stablehlo.gather" in lowered.as_text()) == gathers
