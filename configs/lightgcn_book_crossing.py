"""LightGCN on the ranking split of Book-Crossing: a baseline for HAKG.

    python train.py --config=configs/lightgcn_book_crossing.py --workdir=runs/lightgcn-book-crossing

Needs $HKJAX_DATA/book-crossing-ranking. A tenth of each user's train items validates.
"""

from hkjax.experiment import ranking_config
from hkjax.models.lightgcn import LightGCNConfig


def get_config():
    config = ranking_config(LightGCNConfig(layers=3), "book-crossing-ranking")
    config.optimizer.learning_rate = 1e-3
    config.training.batch_size = 1024
    config.training.epochs = 200
    config.training.patience = 20
    return config
