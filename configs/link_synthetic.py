"""LINK on the generated data.

python train.py --config=configs/link_synthetic.py --workdir=runs/link-synthetic
"""

from hkjax.experiment import default_config
from hkjax.models.link.config import LINKConfig


def get_config():
    config = default_config(LINKConfig(search=20.0))
    config.data.split = "per_user"
    config.training.monitor = "recall@20"
    return config
