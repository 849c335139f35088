"""Knowledge-graph recommendation in JAX: published models as pure functions of arrays."""

import importlib.metadata

from hkjax.data.assemble import build_dataset as build_dataset
from hkjax.data.batching import epoch_order as epoch_order
from hkjax.data.batching import get_batch as get_batch
from hkjax.data.config import DataConfig as DataConfig
from hkjax.data.config import TablesConfig as TablesConfig
from hkjax.data.dataset import Dataset as Dataset
from hkjax.data.dataset import Interactions as Interactions
from hkjax.data.read import dataset_from_tables as dataset_from_tables
from hkjax.data.read import read_dataset as read_dataset
from hkjax.data.synthetic import SyntheticConfig as SyntheticConfig
from hkjax.data.synthetic import synthetic_dataset as synthetic_dataset
from hkjax.errors import InputError as InputError
from hkjax.models.base import Recommender as Recommender
from hkjax.models.hakg.config import HAKGConfig as HAKGConfig
from hkjax.models.hakg.model import hakg as hakg
from hkjax.models.hkrm.config import HKRMConfig as HKRMConfig
from hkjax.models.hkrm.model import hkrm as hkrm
from hkjax.models.lightgcn import LightGCNConfig as LightGCNConfig
from hkjax.models.lightgcn import lightgcn as lightgcn
from hkjax.models.popularity import balance_and_popularity as balance_and_popularity
from hkjax.models.popularity import popularity as popularity

__version__ = importlib.metadata.version("hkjax")
