"""Trains a recommender: python train.py --config=configs/synthetic.py --workdir=runs/synthetic.

As `hkjax train`, which also says how to train on tables of your own; without either, configs/synthetic.py is trained.
"""

from hkjax.cli.main import enter

if __name__ == "__main__":
    enter("train", __doc__, default_config_file="configs/synthetic.py")
