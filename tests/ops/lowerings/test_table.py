"""Every row of the table of lowerings against the definition of its operation, on the same arguments."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hkjax.ops import bags, lists, lookup, pairs, rows, sampling, subset, top_k, triples
from hkjax.ops.lowerings import blocks, layout, table
from hkjax.ops.messages import Coefficients
from hkjax.ops.segment import PADDING_ROW
from hkjax.ops.sparse import make_edges

ROOT = Path(__file__).parents[3]
RANDOM = np.random.default_rng(0)
DISPATCHING = (blocks, lists, lookup, sampling, subset, layout, top_k, triples)


def normal(*shape):
    return RANDOM.normal(size=shape)


def ids(n, *shape):
    return RANDOM.integers(n, size=shape).astype(np.int32)


def message(gram):
    return Coefficients(jnp.sin(gram.hh + gram.tr), jnp.cos(gram.ht) * gram.rr, gram.hr * gram.tt)


def mean_message(entity, relation, graph):
    def loss(*tables):
        return jnp.sum(jnp.sin(triples.mean_message(message, *tables, graph)))

    return jax.value_and_grad(loss, argnums=(0, 1))(entity, relation)


def gradient_of_rows(table, ids):
    return jax.grad(lambda table: jnp.sum(lookup.take_whole(table, ids) ** 2))(table)


def add_by_index(total, ids, values):
    def add(total, block):
        return total.at[block[0]].add(block[1], mode="drop")

    return blocks.add_rows(add, total, (ids, values), (PADDING_ROW, 0))


def excluded(lengths, n_ranks):
    """Items of users with histories of some lengths, and ranks to search for: arguments of `count_excluded_below`."""
    lists = [np.sort(RANDOM.choice(400, size=n, replace=False)).astype(np.int32) for n in lengths]
    start = np.cumsum([0, *lengths[:-1]]).astype(np.int32)
    ranks = RANDOM.integers(0, 401 - np.array(lengths)[:, None], size=(len(lengths), n_ranks)).astype(np.int32)
    return np.concatenate(lists), start, np.array(lengths, np.int32), ranks


def samples(n_rows, n_table, n_draws, n_tables, dtype=np.float64):
    rows, tables = (x.astype(dtype) for x in (normal(n_rows, 6), normal(n_table, 6 * n_tables)))
    weights = normal(n_rows, n_draws, n_tables)
    at = ids(n_table, n_rows, n_draws)
    return [
        (pairs._score_small, (rows, tables, at), {"n": n_rows}),
        (pairs._small_row_sums, (weights, tables, at), {"n": n_rows}),
        (pairs._small_table_sums, (weights, rows, at), {"n": n_table}),
    ]


FIRST, SECOND = np.append(np.sort(ids(7, 9)), PADDING_ROW).astype(np.int32), ids(7, 10)
BITS = RANDOM.integers(2**32, size=(10, 2)).astype(np.uint32)
OF_PAIRS = np.concatenate([normal(9, 3), np.zeros((1, 3))])
WORDS = RANDOM.integers(2**32, size=1000).astype(np.uint32)
# Of each operation calls (function, arguments, static arguments). A primitive's function is its `bind`.
SOURCES = np.stack([RANDOM.permutation(9)[:4] for _ in range(8)] + [[9, 9, 1, 9]]).astype(np.int32)
TABLE_OF_9 = lists.Neighbours(jnp.asarray(SOURCES), jnp.asarray(np.where(SOURCES < 9, normal(9, 4), 0), jnp.float32))
CALLS = {
    "neighbour_sums": [
        (
            lists.neighbour_sums,
            (
                TABLE_OF_9,
                lists.targets_of_sources(TABLE_OF_9),
                lists.padded_lists(ids(9, 3, 5), normal(3, 5)),
                np.array([2, 0], np.int32),
            ),
            {},
        )
    ],
    "map_rows": [(partial(blocks.map_rows, jnp.sin, at_once=True), (normal(5000, 3),), {})],
    "add_rows": [(add_by_index, (np.zeros(7), ids(7, 5000), normal(5000)), {})],
    "row_dot": [(rows._row_dot.bind, (normal(7, 3), normal(7, 3)), {})],
    "repeat": [(rows._repeat.bind, (normal(7),), {"d": 3})],
    "materialize": [(rows._materialize.bind, (np.array([0, -0.0, 1.5, 1e308, np.inf, -np.inf, np.nan]),), {})],
    "random_halves": [(sampling.dropout, (jax.random.key(0), normal(50, d), 0.3), {}) for d in (1, 6, 7)],
    "count_excluded_below": [
        (sampling._count_below.bind, excluded([0, 1, 127, 128, 129, 300, 5], 200), {"longest": 401})
    ],
    "bound_of_subset": [
        (subset._bound.bind, (words,), {"size": size}) for words in (WORDS, WORDS % 3) for size in (0, 1, 500, 1000)
    ],
    "compact": [
        (subset.compact, ({"a": ids(99, 64), "b": normal(64)}, RANDOM.random(64) < fraction), {"size": size})
        for fraction, size in ((0.0, 0), (0.5, 20), (1.0, 64), (1.0, 30))
    ],
    "take_relations": [(lookup.take_relations, (normal(5, 3), ids(5, 40)), {})],
    "add_by_id": [(gradient_of_rows, (normal(n, 3), ids(n, 2000)), {}) for n in (2, 600)],
    "bags": [(bags.table_sums, (normal(11, 3), normal(4, 3, 2), np.sort(ids(4, 11)), ids(6, 11)), {"n": 6})],
    "masked_gram": [
        (
            pairs._masked_sums_by_rows,
            (OF_PAIRS, normal(7, 40), FIRST, SECOND, np.argsort(SECOND), BITS, np.arange(40)),
            {"n": 7},
        )
    ],
    "score_samples": [call for sizes in ((5, 7, 3, 1), (33, 300, 9, 2)) for call in samples(*sizes)],
    "mean_message": [
        (mean_message, (normal(7, 5), normal(3, 5), make_edges(ids(7, 3000), ids(7, 3000), ids(3, 3000))), {})
    ],
    "laid_by_columns": [(layout.laid_by_columns, (normal(7, 3),), {})],
    "top_k": [
        (partial(top_k.top_k, k=k), (RANDOM.integers(50, size=(30, 1000)).astype(np.float32),), {}) for k in (1, 9, 15)
    ],
}


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def run(function, args, static, operation, way, monkeypatch):
    """Calls an operation in one of its ways; None where it does not offer that. The empty name is the definition."""
    offered = []

    def dispatch(name, ways, *args, **static):
        chosen = way if name == operation and way in ways else next(iter(ways))
        offered.append(name == operation and (not way or way in ways))
        return ways[chosen](*args, **static)

    args = jax.tree.map(jnp.asarray, args)
    ways = getattr(getattr(function, "__self__", None), "ways", None)
    if ways is not None:
        return ways[way or next(iter(ways))](*args, **static) if not way or way in ways else None
    with monkeypatch.context() as patch:
        for module in DISPATCHING:
            patch.setattr(module, "by_platform", dispatch)
        result = function(*args, **static)
    return result if any(offered) else None


@pytest.mark.parametrize("row", table.TABLE, ids=lambda row: f"{row.operation} on {row.platform}")
def test_a_platforms_way_equals_the_definition(row, monkeypatch):
    monkeypatch.setattr(blocks, "LARGE_SIZE", 4096)
    compare, compared = np.testing.assert_array_equal, 0
    if row.equal == "rounding":
        compare = partial(np.testing.assert_allclose, rtol=1e-11, atol=1e-11)
    for call in CALLS[row.operation]:
        expected, found = (run(*call, row.operation, way, monkeypatch) for way in ("", row.way))
        if found is not None:
            compared += 1
            assert jax.tree.map(jnp.result_type, found) == jax.tree.map(jnp.result_type, expected)
            jax.tree.map(compare, found, expected)
    assert compared, "no call offers this way"


@pytest.mark.parametrize("call", samples(16, 128, 4, 2, jnp.bfloat16), ids=("products", "row sums", "table sums"))
def test_one_hot_products_of_bfloat16_have_wider_sums(call, monkeypatch):
    expected, found = (run(*call, "score_samples", way, monkeypatch) for way in ("", "one-hot products"))
    assert found.dtype == expected.dtype != jnp.bfloat16
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_an_operation_without_a_row_is_refused():
    with pytest.raises(AssertionError, match="unheard of"):
        table.on_platforms("unheard of", {"a": jnp.sin})


def test_the_page_shows_the_table():
    assert table.as_markdown() in (ROOT / "docs/scaling.md").read_text()
