"""HKRM on MovieLens-1M with MKR's knowledge graph (Sun, Ni, Yang; CNCI 2020, table 3).

    python train.py --config=configs/hkrm_movielens_1m.py --workdir=runs/movielens-1m

Needs $HKJAX_DATA/movielens-1m. Lambda1 is the paper's; its learning rate of 0.01, batch size of 1024
and lambda2 of 1e-7 reach a lower AUC than these (see docs/results.md for the effect of each).
"""

from hkjax.experiment import data_folder, default_config


def get_config():
    config = default_config()
    config.data.format = "ripplenet"
    config.data.path = data_folder("movielens-1m")
    config.data.fields = {
        "actor": ("film.film.star",),
        "genre": ("film.film.genre",),
        "director": ("film.film.director",),
        "writer": ("film.film.writer",),
        "language": ("film.film.language",),
        "country": ("film.film.country",),
    }
    config.model.item_bias = True
    config.model.l2 = 1e-6
    config.optimizer.learning_rate = 0.02
    config.optimizer.decay_epochs = 5
    config.training.epochs = 5
    config.training.batch_size = 512
    return config
