"""Knowledge-graph recommendation in JAX: published models as pure functions of arrays."""

from hkjax.data.dataset import DataConfig as DataConfig
from hkjax.data.dataset import Dataset as Dataset
from hkjax.data.dataset import Interactions as Interactions
from hkjax.data.dataset import read_dataset as read_dataset
from hkjax.data.sampling import shuffle as shuffle
from hkjax.data.sampling import take as take
from hkjax.data.synthetic import SyntheticConfig as SyntheticConfig
from hkjax.data.synthetic import synthetic_dataset as synthetic_dataset
from hkjax.errors import InputError as InputError
from hkjax.models.base import Recommender as Recommender
from hkjax.models.baselines import balance_and_popularity as balance_and_popularity
from hkjax.models.baselines import popularity as popularity
from hkjax.models.hakg import hakg as hakg
from hkjax.models.hakg_config import HAKGConfig as HAKGConfig
from hkjax.models.hkrm import hkrm as hkrm
from hkjax.models.hkrm_config import HKRMConfig as HKRMConfig
from hkjax.models.lightgcn import LightGCNConfig as LightGCNConfig
from hkjax.models.lightgcn import lightgcn as lightgcn
