"""HAKG on Alibaba-iFashion, with the settings of the official code.

    python train.py --config=configs/hakg_alibaba_ifashion.py --workdir=runs/hakg-alibaba-ifashion

Needs $HKJAX_DATA/alibaba-ifashion in KGAT's layout (train.txt, test.txt, kg_final.txt). A tenth of each user's
train items validates; --config.data.split=official keeps all of train and validates on test.
"""

from hkjax.experiment import ranking_config
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig


def get_config():
    config = ranking_config(HAKGConfig(**OFFICIAL, layers=3, negatives=200, margin=0.6), "alibaba-ifashion")
    config.optimizer.learning_rate = 1e-4
    config.training.batch_size = 4096
    config.training.epochs = 500
    config.training.patience = 10
    return config
