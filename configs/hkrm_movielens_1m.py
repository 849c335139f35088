"""HKRM on MovieLens-1M with MKR's knowledge graph (Sun, Ni, Yang; CNCI 2020, table 3).

    python train.py --config=configs/hkrm_movielens_1m.py --workdir=runs/movielens-1m

Needs $HKJAX_DATA/movielens-1m.
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
    config.model.l2 = 1e-6
    config.optimizer.learning_rate = 0.02
    config.optimizer.decay_epochs = 10
    config.training.epochs = 10
    config.training.batch_size = 1024
    return config
