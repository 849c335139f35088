from . import geometry as geometry
from .data.assemble import build_dataset as build_dataset
from .data.batching import epoch_order as epoch_order
from .data.batching import get_batch as get_batch
from .data.config import DataConfig as DataConfig
from .data.config import TablesConfig as TablesConfig
from .data.dataset import Dataset as Dataset
from .data.dataset import Interactions as Interactions
from .data.read import dataset_from_tables as dataset_from_tables
from .data.read import read_dataset as read_dataset
from .data.synthetic import SyntheticConfig as SyntheticConfig
from .data.synthetic import synthetic_dataset as synthetic_dataset
from .errors import InputError as InputError
from .evaluation.evaluate import EvaluationConfig as EvaluationConfig
from .library import evaluate as evaluate
from .library import fit as fit
from .library import load as load
from .models.base import Recommender as Recommender
from .models.hakg import equations as _hakg
from .models.hakg.config import HAKGConfig as HAKGConfig
from .models.hakg.model import hakg as hakg
from .models.hkrm import equations as _hkrm
from .models.hkrm.config import HKRMConfig as HKRMConfig
from .models.hkrm.model import hkrm as hkrm
from .models.lightgcn import LightGCNConfig as LightGCNConfig
from .models.lightgcn import lightgcn as lightgcn
from .models.linear import equations as _linear
from .models.linear.config import EASEConfig as EASEConfig
from .models.linear.config import EDLAEConfig as EDLAEConfig
from .models.linear.config import IALSConfig as IALSConfig
from .models.linear.config import ItemKNNConfig as ItemKNNConfig
from .models.linear.config import RP3betaConfig as RP3betaConfig
from .models.linear.config import SLIMConfig as SLIMConfig
from .models.linear.ease import ease as ease
from .models.linear.ials import ials as ials
from .models.linear.neighbours import item_knn as item_knn
from .models.linear.neighbours import rp3beta as rp3beta
from .models.linear.slim import slim as slim
from .models.link import equations as _link
from .models.link.config import LINKConfig as LINKConfig
from .models.link.model import link as link
from .models.multvae import MultVAEConfig as MultVAEConfig
from .models.multvae import multvae as multvae
from .models.popularity import balance_and_popularity as balance_and_popularity
from .models.popularity import popularity as popularity
from .serving.recommend import recommend as recommend
from .serving.recommend import recommend_like as recommend_like
from .serving.recommend import similar as similar
from .serving.trained import TrainedModel as TrainedModel
from .testing import check_finite as check_finite
from .testing import check_gradients as check_gradients
from .testing import check_meshes as check_meshes
from .testing import check_recommender as check_recommender

hakg_equations = _hakg
hkrm_equations = _hkrm
linear_equations = _linear
link_equations = _link
__version__: str
