"""Checks of what training and evaluation require of a `Recommender`."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hkjax.data.batching import epoch_order, get_batch
from hkjax.models.base import Batch, Metrics, Params, Recommender, gradient_of
from hkjax.training.partition import MeshShape
from hkjax.training.trainer import Parallel, Trainer, make_trainer

# Tables whole everywhere; divided by rows among all devices; both.
MESHES: tuple[MeshShape, ...] = ((4, 1), (1, 4), (2, 2))

_epoch_order, _get_batch = jax.jit(epoch_order), jax.jit(get_batch)


def check_recommender(recommender: Recommender, batch: Batch | None = None, key: jax.Array | None = None) -> None:
    """Checks that a model is a sound `Recommender`.

    Of every model:

    - `score_pairs` and `score_all_items` agree, on all items tried.
    - Parts of scores, where there are any, add up to them.

    Of one that is solved, that its solution is finite, and equal each time. Of one that is trained:

    - `init` and `loss` depend only on their arguments, keys included.
    - The loss is a finite scalar with finite metrics, `loss` among them, and finite gradients.
    - A row of weight 0 changes nothing.
    - Batches of one shape share one compilation, and those of an epoch hold every example once.
    - No array of the data is a constant of the compiled program.

    Args:
        recommender: the model.
        batch: a batch of it; the first of an epoch if absent.
        key: PRNG key of initialisation and loss.

    Raises:
        AssertionError: one of these does not hold; the message names it.
    """
    key = jax.random.key(0) if key is None else key
    if recommender.trained == ():
        _check_solution(recommender, key)
        return
    traces = []

    def traced(*args: Any) -> Any:
        traces.append(args)
        value, metrics = recommender.loss(*args)
        return value, (value, metrics)

    gradient, init = gradient_of(recommender._replace(loss=traced)), jax.jit(recommender.init)

    @jax.jit
    def loss(*args: Any) -> Any:
        gradients, found = gradient(*args)
        return found, gradients

    params = init(key)
    jax.tree.map(np.testing.assert_array_equal, params, init(key))
    if recommender.solve is not None:
        params = recommender.solve(params, recommender.inputs)
    batch = _first(recommender) if batch is None else batch
    _check_trace(recommender, params, batch, key)
    _check_loss(recommender, params, batch, key, loss)
    _check_padding(recommender, params, batch, key, loss)
    assert len(traces) == 1, f"the loss was traced {len(traces)} times for batches of one shape"
    _check_epoch(recommender)
    _check_scores(recommender, params)


def check_meshes(
    recommender: Recommender,
    meshes: Sequence[MeshShape] = MESHES,
    parallel: Parallel = "pmap",
    own_draws: bool = False,
) -> None:
    """Checks that a model computes the same on several devices as on one.

    What is solved takes no steps, and passes. Otherwise two steps of plain SGD in float64 are compared, to 1e-9:
    metrics, and every parameter's change. (Adam would hide a gradient that is wrong by a factor.) On meshes that divide
    tables, representation and scores are also compared. A raw `table[ids]` on a divided table does not pass.

    Args:
        recommender: the model; the number of devices must divide its batch size.
        meshes: numbers of devices along DATA and along ROWS.
        parallel: how the steps run where tables are whole.
        own_draws: whether devices draw for themselves, such as edges to drop, so that steps differ from those of one
            device. Then only the representation is compared.

    Raises:
        AssertionError: a value differs; the message names it and the mesh.
    """
    if recommender.trained == ():
        return
    with jax.enable_x64(True):
        single = None if own_draws else _two_steps(make_trainer(recommender, optax.sgd(1.0)), recommender)
        for mesh in meshes:
            trainer = make_trainer(recommender, optax.sgd(1.0), mesh, parallel)
            if single is not None:
                _compare_steps(_two_steps(trainer, recommender), single, f"on the mesh {mesh}: ")
            if mesh[1] > 1:
                _compare_representations(trainer, recommender, f"on the mesh {mesh}: ")


class _TwoSteps(NamedTuple):
    before: Params
    after: Params
    metric_sums: Metrics


def _two_steps(trainer: Trainer, recommender: Recommender) -> _TwoSteps:
    """Takes two steps; returns parameters without their padding."""
    whole = jax.eval_shape(recommender.init, jax.random.key(0))
    state = trainer.init(jax.random.key(0))
    before = _without_padding(trainer.params(state), whole)
    order = trainer.epoch_order(jax.random.key(1))
    state = trainer.train_steps(state, order, jnp.int32(2), jax.random.key(2))
    return _TwoSteps(before, _without_padding(trainer.params(state), whole), state.metric_sums)


def _compare_steps(found: _TwoSteps, single: _TwoSteps, where: str) -> None:
    for name, total in single.metric_sums.items():
        np.testing.assert_allclose(found.metric_sums[name], total, rtol=_tolerance(total), err_msg=where + name)

    def compare(path: Any, before: Any, start: Any, expected: Any, after: Any) -> None:
        name = jax.tree_util.keystr(path)
        np.testing.assert_allclose(start, before, rtol=1e-12, err_msg=f"{where}{name} has other initial values")
        change, scale = expected - before, float(np.abs(expected - before).max())
        message = f"{where}the gradient of {name}"
        rtol = _tolerance(change)
        np.testing.assert_allclose(after - start, change, rtol=rtol, atol=rtol * scale, err_msg=message)

    jax.tree_util.tree_map_with_path(compare, single.before, found.before, single.after, found.after)


def _tolerance(x: Any) -> float:
    """Returns 1e-9, or 1e-6 for arrays that a model keeps in float32."""
    return 1e-9 if x.dtype == np.float64 else 1e-6


def _compare_representations(trainer: Trainer, recommender: Recommender, where: str) -> None:
    params = trainer.params(trainer.init(jax.random.key(0)))
    whole = jax.jit(recommender.init)(jax.random.key(0))
    expected = jax.jit(recommender.encode)(whole, recommender.inputs)
    found = jax.jit(trainer.recommender.encode)(params, trainer.recommender.inputs)

    def compare(what: str, found: Any, expected: Any) -> None:
        rows = np.asarray(found)[: expected.shape[0]]
        rtol = _tolerance(expected)
        np.testing.assert_allclose(rows, expected, rtol=rtol, atol=rtol / 1000, err_msg=where + what)

    jax.tree.map(partial(compare, "encode"), found, expected)
    users = np.unique(recommender.batches.columns["user"])[:4]
    of_one = jax.jit(recommender.score_all_items)(expected, users)
    compare("score_all_items", jax.jit(trainer.recommender.score_all_items)(found, users), of_one)


def _without_padding(tree: Any, like: Any) -> Any:
    """Cuts off the padding of tables, and checks that it is 0."""

    def cut(x: Any, like: Any) -> np.ndarray:
        x = np.asarray(x)
        assert x.shape == like.shape or (x[like.shape[0] :] == 0).all(), "the padding of a table has changed"
        return x[: like.shape[0]] if like.shape else x

    return jax.tree.map(cut, tree, like)


def _check_solution(recommender: Recommender, key: jax.Array) -> None:
    solve = recommender.solve
    assert solve is not None
    start = recommender.init(key)
    params = solve(start, recommender.inputs)
    jax.tree.map(np.testing.assert_array_equal, params, solve(start, recommender.inputs))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params)), "the solution: not finite"
    like, found = (jax.tree.map(lambda x: (x.shape, x.dtype), tree) for tree in (start, params))
    assert like == found, f"the solution has other shapes than `init`: {found}, not {like}"
    _check_scores(recommender, params)


def _first(recommender: Recommender) -> Batch:
    return _get_batch(recommender.batches, _epoch_order(recommender.batches, jax.random.key(1)), 0)


def _check_trace(recommender: Recommender, params: Params, batch: Batch, key: jax.Array) -> None:
    trace = jax.make_jaxpr(recommender.loss, return_shape=True)
    jaxpr, (loss, _) = trace(params, recommender.inputs, batch, key)
    assert loss.shape == (), f"the loss has shape {loss.shape}: expected a scalar"
    sizes = [np.size(constant) for constant in jaxpr.consts]
    assert all(size <= 1 for size in sizes), f"the loss closes over arrays of {sizes} entries: pass them as inputs"


def _check_loss(
    recommender: Recommender, params: Params, batch: Batch, key: jax.Array, loss: Callable[..., Any]
) -> None:
    (value, metrics), gradients = loss(params, recommender.inputs, batch, key)
    assert "loss" in metrics, "the metrics lack an entry `loss`"
    for name, tree in (("loss", value), ("metrics", metrics), ("gradients", gradients)):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)), f"{name}: not finite"
    again = loss(params, recommender.inputs, batch, key)[0][0]
    assert again == value, f"the loss does not depend only on its arguments: {value}, then {again}"


def _check_padding(
    recommender: Recommender, params: Params, batch: Batch, key: jax.Array, loss: Callable[..., Any]
) -> None:
    batch = {**batch, "weight": batch["weight"].at[0].set(0)}
    # Examples are pairs, or only users.
    changed = "item" if "item" in batch else "user"
    changes = {changed: batch[changed][0] == 0, "label": 1 - batch["label"][0] if "label" in batch else 0}
    other = {k: v.at[0].set(changes[k]) if k in changes else v for k, v in batch.items()}
    first, second = (loss(params, recommender.inputs, b, key)[0][0] for b in (batch, other))
    np.testing.assert_allclose(second, first, rtol=1e-6, err_msg="a row of weight 0 changes the loss")


def _check_epoch(recommender: Recommender) -> None:
    batches = recommender.batches
    order = np.asarray(_epoch_order(batches, jax.random.key(1)))
    n_examples = len(next(iter(batches.columns.values())))
    examples = np.sort(order[order >= 0])
    np.testing.assert_array_equal(examples, np.arange(n_examples), err_msg="an epoch misses or repeats an example")


def _check_scores(recommender: Recommender, params: Params) -> None:
    representation = jax.jit(recommender.encode)(params, recommender.inputs)
    users = np.unique(recommender.batches.columns["user"])[:4]
    table, score_pairs = jax.jit(recommender.score_all_items)(representation, users), jax.jit(recommender.score_pairs)
    for item in {0, table.shape[1] // 2, table.shape[1] - 1}:
        scores = score_pairs(representation, users, np.full(len(users), item))
        message = f"score_pairs and score_all_items differ on item {item}"
        np.testing.assert_allclose(table[:, item], scores, rtol=1e-5, atol=1e-6, err_msg=message)
        _check_parts(recommender, params, representation, users, np.full(len(users), item), scores)


def _check_parts(
    recommender: Recommender, params: Params, representation: Any, users: np.ndarray, items: np.ndarray, scores: Any
) -> None:
    fold_in = recommender.fold_in
    if fold_in is not None and fold_in.score_parts is not None:
        prepared = jax.jit(fold_in.prepare)(params, recommender.inputs)
        parts = jax.jit(fold_in.score_parts)(prepared, representation, users, items)
        message = f"the parts of the scores of item {items[0]} do not add up to them"
        np.testing.assert_allclose(sum(parts.values()), scores, rtol=1e-5, atol=1e-6, err_msg=message)
