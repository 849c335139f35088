"""LINK on Last-FM; the settings were chosen on a tenth of each user's train items.

    python train.py --config=configs/link_last_fm.py --workdir=runs/link-last-fm

Needs $HKJAX_DATA/last-fm in KGAT's layout. Trains also on the validation part; --config.training.refit=False keeps it
apart. That part is a random tenth of train, while the test part was cut otherwise: its figures are twice as high.
"""

from hkjax.experiment import ranking_config
from hkjax.models.link.config import LINKConfig


def get_config():
    content = {
        "http://rdf.freebase.com/ns/music.recording.artist": 0.005,
        "http://rdf.freebase.com/ns/music.recording.releases": 0.05,
        "http://rdf.freebase.com/ns/music.recording.featured_artists": 0.02,
    }
    config = ranking_config(LINKConfig(co_occurrence=0.0, regression=1.0, candidates=80, content=content), "last-fm")
    config.training.refit = True
    return config
