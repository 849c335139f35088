"""LINK on the ranking split of Book-Crossing; the settings were chosen on a tenth of each user's train items.

    python train.py --config=configs/link_book_crossing.py --workdir=runs/link-book-crossing

Needs $HKJAX_DATA/book-crossing-ranking in KGAT's layout. Trains also on the validation part;
--config.training.refit=False keeps it apart.
"""

from hkjax.experiment import ranking_config
from hkjax.models.link.config import LINKConfig


def get_config():
    content = {
        "inverse-of-1(inferred)": 0.02,
        "date_of_first_publication(inferred)": 0.005,
        "genre(inferred)": 0.005,
    }
    config = ranking_config(LINKConfig(popularity=1e-4, content=content), "book-crossing-ranking")
    config.training.refit = True
    return config
