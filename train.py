"""Trains a recommender: python train.py --config=configs/synthetic.py --workdir=runs/synthetic.

As `hkjax train`, which also says how to train on tables of your own; without either, configs/synthetic.py is trained.
"""

from functools import partial

from hkjax.cli import train
from hkjax.cli.run import run

if __name__ == "__main__":
    run(partial(train.define_flags, "configs/synthetic.py"), train.main, __doc__, train.CONFIG, train.NEEDS)
