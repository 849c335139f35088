"""Every model is a sound Recommender, on one device and on meshes of several."""

import jax
import pytest

from hkjax.testing import check_meshes, check_recommender
from hkjax.testing.conformance import MESHES
from tests.zoo import MODELS, OWN_DRAWS, SOLVED


# HAKG that keeps all edges is there for the meshes, HAKG that samples them for the rest.
@pytest.mark.parametrize("name", [name for name in MODELS if name != "hakg keeping all"])
def test_every_model_is_a_recommender(name, tiny_data):
    check_recommender(MODELS[name](tiny_data))


# The mesh (2, 2) divides both batches and tables; what that says of the others, one model says.
# Without a gate HAKG asks nothing else of the mesh, and BPR-MF nothing else than LightGCN.
@pytest.mark.parametrize(
    "name", [name for name in MODELS if name not in ("hakg", "hakg euclidean without gate", "bpr-mf", *SOLVED)]
)
def test_every_model_is_on_several_devices_what_it_is_on_one(name, indivisible_data):
    assert jax.device_count() == 4
    meshes = MESHES if name == "lightgcn" else ((2, 2),)
    model = MODELS[name](indivisible_data)
    check_meshes(model, meshes if model.shard else ((4, 1),), own_draws=name in OWN_DRAWS)
