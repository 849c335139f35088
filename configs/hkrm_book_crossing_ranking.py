"""HKRM on the ranking split of Book-Crossing, with sampled negatives and early stopping on recall@20.

    python train.py --config=configs/hkrm_book_crossing_ranking.py --workdir=runs/hkrm-book-crossing-ranking

Needs $HKJAX_DATA/book-crossing-ranking. A tenth of each user's train items validates. Popularity ranks better here.
"""

from hkjax.experiment import ranking_config
from hkjax.models.hkrm.config import HKRMConfig


def get_config():
    config = ranking_config(HKRMConfig(item_bias=True), "book-crossing-ranking")
    config.data.fields = {"genre": (3,), "date": (2,), "publisher": (7,), "author": (1,), "series": (5,)}
    config.optimizer.learning_rate = 0.03
    config.training.batch_size = 512
    config.training.epochs = 6
    return config
