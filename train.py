"""Trains a recommender: python train.py --config=configs/synthetic.py --workdir=runs/synthetic.

The same as `hkjax train`; its --help also covers your own tables. The default is configs/synthetic.py.
"""

from hkjax.cli.main import enter

if __name__ == "__main__":
    enter("train", __doc__, default_config_file="configs/synthetic.py")
