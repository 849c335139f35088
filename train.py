"""Trains a recommender: python train.py --config=configs/synthetic.py --workdir=runs/synthetic."""

from absl import flags
from ml_collections import config_flags

from hkjax import cli

config_flags.DEFINE_config_file("config", "configs/synthetic.py", "The experiment.", lock_config=True)
flags.DEFINE_string("workdir", None, "Where checkpoints, logs and reports go; training resumes there.")

if __name__ == "__main__":
    cli.run(cli.train)
