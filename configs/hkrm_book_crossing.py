"""HKRM on Book-Crossing."""

from hkjax.experiment import data_folder, default_config


def get_config():
    config = default_config()
    config.data.format = "ripplenet"
    config.data.path = data_folder("book-crossing")
    config.data.fields = {
        "genre": (3,),
        "date": (2,),
        "publisher": (7,),
        "author": (1, ~0),
        "series": (5, ~6),
    }
    config.model.l2 = 1e-5
    config.optimizer.learning_rate = 0.005
    config.training.batch_size = 256
    return config
