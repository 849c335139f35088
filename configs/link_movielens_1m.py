"""LINK on MovieLens-1M's positives, four fifths of each user's for training.

    python train.py --config=configs/link_movielens_1m.py --workdir=runs/link-movielens-1m

Needs $HKJAX_DATA/movielens-1m in RippleNet's layout (ratings_final.txt, kg_final.txt).
"""

from hkjax.experiment import data_folder, default_config
from hkjax.models.link.config import LINKConfig


def get_config():
    config = default_config(LINKConfig(search=600.0, regression=1.0))
    config.data.format = "ripplenet"
    config.data.path = data_folder("movielens-1m")
    config.data.split = "per_user"
    config.data.ratios = (72, 8, 20)
    config.training.monitor = "recall@20"
    return config
