"""HAKG on Last-FM, with the settings of the official code.

    python train.py --config=configs/hakg_last_fm.py --workdir=runs/hakg-last-fm

Needs $HKJAX_DATA/last-fm in KGAT's layout (train.txt, test.txt, kg_final.txt). A tenth of each user's
train items validates; --config.data.split=official keeps all of train and validates on test.
"""

from hkjax.experiment import ranking_config
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig


def get_config():
    config = ranking_config(HAKGConfig(**OFFICIAL, layers=3, negatives=400, margin=0.7), "last-fm")
    config.optimizer.learning_rate = 1e-4
    config.training.batch_size = 4096
    config.training.epochs = 500
    config.training.patience = 10
    return config
