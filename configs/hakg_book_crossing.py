"""HAKG on the ranking split of Book-Crossing, with the euclidean message, the best one there.

    python train.py --config=configs/hakg_book_crossing.py --workdir=runs/hakg-book-crossing

Test recall@20 / NDCG@20: 0.1282 / 0.0735 (mean of 3 seeds). Needs $HKJAX_DATA/book-crossing-ranking.
A tenth of each user's train items validates.
"""

from hkjax.experiment import ranking_config
from hkjax.models.hakg.config import HAKGConfig


def get_config():
    config = ranking_config(HAKGConfig(message="euclidean"), "book-crossing-ranking")
    config.optimizer.learning_rate = 3e-3
    config.optimizer.decay_epochs = 15
    config.training.batch_size = 4096
    config.training.epochs = 15
    config.training.patience = 15
    return config
