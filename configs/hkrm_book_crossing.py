"""HKRM on Book-Crossing, in RippleNet's preprocessing (Sun, Ni, Yang; CNCI 2020, table 3).

    python train.py --config=configs/hkrm_book_crossing.py --workdir=runs/book-crossing

Needs $HKJAX_DATA/book-crossing. Lambda1, lambda2 and the batch size are the paper's. Its learning rate
of 0.005 stays below item popularity. A rate of 0.02 with a cosine decay to 0 over three epochs, and an
item bias, exceed it (see docs/results.md for the effect of each).
"""

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
    config.model.item_bias = True
    config.model.l2 = 1e-5
    config.optimizer.learning_rate = 0.02
    config.optimizer.decay_epochs = 3
    config.training.epochs = 3
    config.training.batch_size = 256
    return config
