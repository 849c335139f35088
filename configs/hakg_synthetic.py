"""HAKG on generated data, small enough to watch.

python train.py --config=configs/hakg_synthetic.py --workdir=runs/hakg-synthetic
"""

from hkjax.experiment import default_config
from hkjax.models.hakg.config import HAKGConfig


def get_config():
    config = default_config(HAKGConfig(dim=32, layers=2, negatives=50))
    config.data.split = "per_user"
    config.optimizer.learning_rate = 0.01
    config.training.batch_size = 1024
    config.training.epochs = 10
    config.training.monitor = "recall@20"
    return config
