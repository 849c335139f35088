"""HKRM on generated data with known preferred fields: the embedded default.

python train.py --workdir=runs/synthetic && python evaluate.py --workdir=runs/synthetic
"""

from hkjax.experiment import default_config


def get_config():
    config = default_config()
    config.model.l2 = 1e-6
    config.training.epochs = 12
    config.evaluation.tuning = 10.0
    return config
