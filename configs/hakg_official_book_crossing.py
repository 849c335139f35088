"""HAKG on the ranking split of Book-Crossing, with the settings of the official code except its learning rate.

    python train.py --config=configs/hakg_official_book_crossing.py --workdir=runs/hakg-official-book-crossing

Needs $HKJAX_DATA/book-crossing-ranking. A tenth of each user's train items validates.
"""

from hkjax.experiment import ranking_config
from hkjax.models.hakg.config import OFFICIAL, HAKGConfig


def get_config():
    config = ranking_config(HAKGConfig(**OFFICIAL), "book-crossing-ranking")
    config.optimizer.learning_rate = 1e-3
    config.training.batch_size = 4096
    config.training.epochs = 60
    config.training.patience = 5
    return config
