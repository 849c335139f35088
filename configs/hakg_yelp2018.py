"""HAKG on Yelp2018, with the settings of the official code.

    python train.py --config=configs/hakg_yelp2018.py --workdir=runs/hakg-yelp2018

Needs $HKJAX_DATA/yelp2018 in KGAT's layout (train.txt, test.txt, kg_final.txt). A tenth of each user's
train items validates; --config.data.split=official keeps all of train and validates on test.
"""

from hkjax.experiment import ranking_config
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig


def get_config():
    config = ranking_config(HAKGConfig(**OFFICIAL, layers=2, negatives=400, margin=0.8), "yelp2018")
    config.optimizer.learning_rate = 5e-4
    config.training.batch_size = 4096
    config.training.epochs = 500
    config.training.patience = 10
    return config
