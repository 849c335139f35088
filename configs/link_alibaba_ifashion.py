"""LINK on Alibaba-iFashion, with its learned part; the settings were chosen on a tenth of each user's train items.

    python train.py --config=configs/link_alibaba_ifashion.py --workdir=runs/link-alibaba-ifashion

Needs $HKJAX_DATA/alibaba-ifashion in KGAT's layout. Trains also on the validation part;
--config.training.refit=False keeps it apart.
"""

from hkjax.experiment import ranking_config
from hkjax.models.link.config import LINKConfig


def get_config():
    closed = LINKConfig(neighbours=200, user_power=0.0, alpha=0.7, shrinkage=60.0, regression=0.3)
    config = ranking_config(closed, "alibaba-ifashion")
    config.model.gate = 0.015
    config.model.dim = 256
    config.optimizer.learning_rate = 2e-3
    config.optimizer.decay_epochs = 20
    config.training.batch_size = 512
    config.training.epochs = 20
    config.training.refit = True
    return config
