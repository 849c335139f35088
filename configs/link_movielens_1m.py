"""LINK on MovieLens-1M's positives; the settings were chosen on a tenth of each user's train rows.

    python train.py --config=configs/link_movielens_1m.py --workdir=runs/link-movielens-1m

Needs $HKJAX_DATA/movielens-1m in RippleNet's layout. A fifth of each user's rows is the test part. Trains also on the
validation part; --config.training.refit=False keeps it apart.
"""

from hkjax.experiment import data_folder, default_config
from hkjax.models.link.config import LINKConfig


def get_config():
    model = LINKConfig(
        regression=30.0,
        candidates=0,
        l2=5.0,
        item_power=0.2,
        neighbours=50,
        user_power=1.0,
        shrinkage=300.0,
        alpha=0.5,
        content={"film.film.genre": 0.005, "film.film.director": 0.02, "film.film.star": 0.005},
    )
    config = default_config(model)
    config.data.format = "ripplenet"
    config.data.path = data_folder("movielens-1m")
    config.data.split = "per_user"
    config.data.ratios = (72, 8, 20)
    config.training.monitor = "recall@20"
    config.training.refit = True
    return config
