"""The interface between models and training, evaluation, serving: a model as pure functions."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Generic, NamedTuple

import jax
from jax.sharding import PartitionSpec as P
from typing_extensions import TypeVar

from hkjax.data.batching import Batches, RaggedLayout, shard_layout
from hkjax.errors import InputError
from hkjax.ops.collectives import DATA, ROWS
from hkjax.ops.sparse import Edges, shard_edges
from hkjax.precision import full_precision

Params = Any
Inputs = Any
Representation = Any
Batch = dict[str, Any]
Metrics = dict[str, jax.Array]
ParamsT = TypeVar("ParamsT", default=Any)
InputsT = TypeVar("InputsT", default=Any)
RepresentationT = TypeVar("RepresentationT", default=Any)


class ShardedModel(NamedTuple):
    """A model's arrays, divided among the devices of a mesh.

    Attributes:
        inputs: the inputs; a divided leaf has a leading axis with one entry for each part.
        specs: PartitionSpecs of the inputs: over (DATA, ROWS) or ROWS where a leaf is divided, empty where every device
            holds it whole. One may stand for a whole branch.
        tables: names of the parameters that are tables, whose rows are divided over ROWS.
    """

    inputs: Inputs
    specs: Any
    tables: tuple[str, ...]


class FoldIn(NamedTuple, Generic[ParamsT, InputsT, RepresentationT]):
    """Functions that score users by their histories, and items by their attributes, without training on them.

    Attributes:
        prepare: (params, inputs) -> what the other functions need besides a representation, computed once.
        encode_users: (prepared, representation, items [B, m], weights [B, m], ids [B] or None) -> the representation
            with these B users instead of the trained ones. Item items[b, k] of the history counts weights[b, k] times:
            1, or 0 for padding; the derivative by it is the item's contribution. `ids` are trained users, who keep what
            the model knows of them besides their history.
        score_attributes: (prepared, representation, users [B], items [B], relations [B, k], entities [B, k]) -> [B, k],
            the contribution of each fact (item, relation, entity) to the item's score for that user. Relation
            n_relations + r is r in reverse. None where the model reads no graph.
        predict_items: (params, inputs, known bool [items]) -> params in which the rows of unknown items are
            predicted from their attributes, by a linear map fitted to known items. None where the model reads no graph.
        score_co_users: (params, inputs, representation, user [], item []) -> [users], the contribution of each
            other user of the item to its score; 0 for those who are not its users. None where it is undefined.
        score_parts: (prepared, representation, users [B], items [B]) -> {name: [B]}, parts that add up to the score,
            each linear in the history's weights but for a constant. None where the score is no such sum.
    """

    prepare: Callable[[ParamsT, InputsT], Any]
    encode_users: Callable[..., RepresentationT]
    score_attributes: Callable[..., jax.Array] | None = None
    predict_items: Callable[[ParamsT, InputsT, jax.Array], ParamsT] | None = None
    score_co_users: Callable[..., jax.Array] | None = None
    score_parts: Callable[..., dict[str, jax.Array]] | None = None


class Recommender(NamedTuple, Generic[ParamsT, InputsT, RepresentationT]):
    """A model as pure functions, in the manner of optax's GradientTransformation.

    Attributes:
        inputs: pytree of the arrays that are not trained: graph, histories, attribute fields. `loss` and
            `encode` take them as an argument and do not close over them.
        batches: the training examples, in the form that `loss` expects.
        init: (key) -> params.
        loss: (params, inputs, batch, key) -> (scalar, metrics). `batch` comes from `get_batch`: arrays [B] by
            name, with `weight` 0 for padding. The losses of rows enter the scalar by their mean over the B
            rows; `loss` is among the metrics. `nothing_to_train` in closed form.
        encode: (params, inputs) -> representation: arrays with a row for each user or item.
        score_pairs: (representation, users [B], items [B]) -> scores [B], logits where they are trained as such.
        score_all_items: (representation, users [B]) -> scores [B, n_items].
        shard: (devices along DATA, devices along ROWS) -> `ShardedModel`; None where devices can divide
            only batches.
        fold_in: scores of users never trained, and contributions to scores; None where undefined.
        row_ids: ids of the rows of parameters with one for each user, item, entity, ..., by the parameters'
            names. By them training can start from the parameters of other data. Those of `item` are the items,
            even if no parameter has that name.
        solve: (params of `init`, inputs) -> the parameters, those replaced that follow from the inputs in closed form,
            before the first step; None where there are none.
        trained: names of the parameters that `loss` trains, where they are a dict; empty for a model in closed form,
            None for all.

    Example:
        >>> data = hkjax.synthetic_dataset(hkjax.SyntheticConfig(n_users=40), hkjax.DataConfig(), seed=0)
        >>> model = hkjax.lightgcn(hkjax.LightGCNConfig(dim=8), data, batch_size=64)
        >>> representation = model.encode(model.init(jax.random.key(0)), model.inputs)
        >>> model.score_all_items(representation, jnp.arange(3)).shape == (3, data.n_items)
        True
    """

    inputs: InputsT
    batches: Batches
    init: Callable[[jax.Array], ParamsT]
    loss: Callable[[ParamsT, InputsT, Batch, jax.Array], tuple[jax.Array, Metrics]]
    encode: Callable[[ParamsT, InputsT], RepresentationT]
    score_pairs: Callable[[RepresentationT, jax.Array, jax.Array], jax.Array]
    score_all_items: Callable[[RepresentationT, jax.Array], jax.Array]
    shard: Callable[[int, int], ShardedModel] | None = None
    fold_in: FoldIn[ParamsT, InputsT, RepresentationT] | None = None
    row_ids: Mapping[str, Sequence[str]] = {}
    solve: Callable[[ParamsT, InputsT], ParamsT] | None = None
    trained: tuple[str, ...] | None = None


def gradient_of(recommender: Recommender) -> Callable[..., tuple[Params, Metrics]]:
    """Returns (params, inputs, batch, key) -> the loss's gradients by the trained parameters, and the metrics."""
    if recommender.trained is None:
        return jax.grad(recommender.loss, has_aux=True)

    def gradient(params: Params, *args: Any) -> tuple[Params, Metrics]:
        def loss(trained: Params) -> tuple[jax.Array, Metrics]:
            return recommender.loss({**params, **trained}, *args)

        return jax.grad(loss, has_aux=True)(trained_params(recommender, params))

    return gradient


def trained_params(recommender: Recommender, params: Params) -> Params:
    """Returns the parameters that the loss trains."""
    return params if recommender.trained is None else {name: params[name] for name in recommender.trained}


def nothing_to_train(params: Params, inputs: Inputs, batch: Batch, key: jax.Array) -> tuple[jax.Array, Metrics]:
    """Raises: stands for the loss of a recommender that is solved.

    Raises:
        InputError: always.
    """
    raise InputError("this model is solved in closed form: it has no loss")


def bind(function: Callable[..., Any], config: Any, unpack: Callable[[Any], Any]) -> Callable[..., Any]:
    """Turns a function of (config, parameters, ...) into one of (params, ...), computed in full precision.

    Args:
        function: a function of a model.
        config: the model's choices.
        unpack: (params) -> parameters, such as a Flax module's `apply`.
    """

    @full_precision
    @wraps(function)
    def bound(params: Any, *args: Any) -> Any:
        return function(config, unpack(params), *args)

    return bound


def shard_by_type(inputs: Inputs, tables: Sequence[str]) -> Callable[[int, int], ShardedModel]:
    """Returns a `Recommender.shard` that divides only the edges and layouts of the inputs, at any depth.

    Args:
        inputs: the model's inputs; `Edges` are divided among all devices, `RaggedLayout`s of all users over ROWS.
        tables: names of the parameters whose rows are divided.
    """

    def shard(n_data: int, n_rows: int) -> ShardedModel:
        def shard_leaf(x: Any) -> tuple[Any, P]:
            if isinstance(x, Edges):
                return shard_edges(x, n_data * n_rows), P((DATA, ROWS))
            if isinstance(x, RaggedLayout) and n_rows > 1:
                return shard_layout(x, n_rows), P(ROWS)
            return x, P()

        leaves, structure = jax.tree.flatten(inputs, is_leaf=lambda x: isinstance(x, (Edges, RaggedLayout)))
        sharded, specs = zip(*map(shard_leaf, leaves), strict=True)
        return ShardedModel(jax.tree.unflatten(structure, sharded), jax.tree.unflatten(structure, specs), tuple(tables))

    return shard


class Picture(NamedTuple):
    """A picture of a trained model, for its report.

    Attributes:
        title: the picture's title.
        name: its file's name, without a suffix.
        size: width and height in inches.
        draw: the function that draws on a matplotlib Figure.
    """

    title: str
    name: str
    size: tuple[float, float]
    draw: Callable[[Any], None]


class Insight(NamedTuple):
    """The part of a report that only one model has.

    Attributes:
        pictures: further pictures, besides those that every model has.
        findings: scalars for report.json, by name.
        learned: sentences on what the model learned, with names.
    """

    pictures: Sequence[Picture] = ()
    findings: Mapping[str, float] = {}
    learned: Sequence[str] = ()


class Presentation(NamedTuple):
    """A model's presentation in a report.

    Attributes:
        name: the model's name in a configuration.
        title: its name in sentences.
        insight: (recommender, representation, data) -> the part that only its report has.
        advice: a sentence for a model that scores below popularity.
    """

    name: str
    title: str
    insight: Callable[[Recommender, Representation, Any], Insight] = lambda *_: Insight()
    advice: str = ""
