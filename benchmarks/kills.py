"""Kills a training run again and again at random moments, and compares its end with an uninterrupted one's.

python benchmarks/kills.py --rounds=20 --workdir=runs/kills
python benchmarks/kills.py --rounds=5 --signal=SIGTERM --workdir=runs/stops
python benchmarks/kills.py --config=configs/hakg_synthetic.py --workdir=runs/hakg-kills
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
from absl import flags

from hkjax.cli.run import run
from hkjax.errors import InputError
from hkjax.experiment import load_workdir
from hkjax.training.checkpoint import Checkpoints
from hkjax.training.progress import read_records

_SMALL = ("--config.synthetic.n_users=60", "--config.synthetic.n_items=40", "--config.training.batch_size=64")


def define_flags() -> None:
    flags.DEFINE_string("workdir", None, "A new folder for the two runs.")
    flags.DEFINE_integer("rounds", 20, "How many times to kill.")
    flags.DEFINE_string("config", "configs/synthetic.py", "What to train, on synthetic data.")
    flags.DEFINE_enum("signal", "SIGKILL", ["SIGKILL", "SIGTERM"], "What to kill with.")
    flags.DEFINE_integer("epochs", 400, "Epochs of the whole run, each of which saves.")


def main() -> None:
    folder, random = Path(flags.FLAGS.workdir), np.random.default_rng(0)
    if folder.exists():
        raise InputError(f"{folder}: exists already; choose a new --workdir")
    whole, killed = folder / "whole", folder / "killed"
    uninterrupted = _start(whole)
    for i in range(flags.FLAGS.rounds):
        process, before = _start(killed), len(read_records(killed))
        while process.poll() is None and len(read_records(killed)) <= before:
            time.sleep(0.01)
        try:
            process.wait(timeout=random.uniform(0, 3))
            raise InputError("the run ended before it could be killed; choose more --epochs")
        except subprocess.TimeoutExpired:
            process.send_signal(getattr(signal, flags.FLAGS.signal))
        _, line = process.communicate()
        saved = Checkpoints(killed.resolve() / "checkpoints", "auc").latest
        epochs = len(read_records(killed))
        print(
            f"round {i + 1}: exit code {process.returncode}, epoch {epochs}, saved at step {saved} {line}", flush=True
        )
    last = [_start(killed), uninterrupted]
    for process in last:
        process.communicate()
    codes = [process.returncode for process in last]
    first, second = (load_workdir(workdir, "latest").params for workdir in (killed, whole))
    equal = all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), first, second)))
    print(f"then run to the end (exit codes {codes}): parameters {'equal bit for bit' if equal else 'DIFFER'}")
    sys.exit(0 if equal else 1)


def _start(workdir: Path) -> subprocess.Popen:
    epochs = (f"--config.training.epochs={flags.FLAGS.epochs}", f"--config.training.patience={flags.FLAGS.epochs}")
    command = [sys.executable, "train.py", f"--config={flags.FLAGS.config}", *_SMALL, *epochs, f"--workdir={workdir}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


if __name__ == "__main__":
    run(define_flags, main, __doc__)
