"""Kills a training run again and again at random moments, and compares its end with an uninterrupted one's.

python benchmarks/kills.py --rounds=20 --workdir=runs/kills
python benchmarks/kills.py --rounds=5 --signal=SIGTERM --workdir=runs/stops
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
from absl import flags

from hkjax import cli
from hkjax.errors import InputError
from hkjax.experiment import load_workdir
from hkjax.training.progress import read_records

_SMALL = ("--config.synthetic.n_users=60", "--config.synthetic.n_items=40", "--config.training.batch_size=64")


def define_flags() -> None:
    flags.DEFINE_string("workdir", None, "A new folder for the two runs.")
    flags.DEFINE_integer("rounds", 20, "How many times to kill.")
    flags.DEFINE_enum("signal", "SIGKILL", ["SIGKILL", "SIGTERM"], "What to kill with.")
    flags.DEFINE_integer("epochs", 400, "Epochs of the whole run, each of which saves.")


def main() -> None:
    folder, random = Path(flags.FLAGS.workdir), np.random.default_rng(0)
    if folder.exists():
        raise InputError(f"{folder}: exists already; choose a new --workdir")
    whole = _start(folder / "whole")
    for i in range(flags.FLAGS.rounds):
        process = _start(folder / "killed")
        try:
            # From before the first step on: importing and compiling take most of the first seconds.
            process.wait(timeout=random.uniform(5, 20))
            print("the run ended before it could be killed; choose more --epochs")
            break
        except subprocess.TimeoutExpired:
            process.send_signal(getattr(signal, flags.FLAGS.signal))
            code = process.wait()
        print(f"round {i + 1}: exit code {code} after {len(read_records(folder / 'killed'))} epochs", flush=True)
    codes = [process.wait() for process in (_start(folder / "killed"), whole)]
    first, second = (load_workdir(folder / name, "latest").params for name in ("killed", "whole"))
    equal = all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), first, second)))
    print(f"then run to the end (exit codes {codes}): parameters {'equal bit for bit' if equal else 'DIFFER'}")
    sys.exit(0 if equal else 1)


def _start(workdir: Path) -> subprocess.Popen:
    epochs = (f"--config.training.epochs={flags.FLAGS.epochs}", f"--config.training.patience={flags.FLAGS.epochs}")
    command = [sys.executable, "train.py", *_SMALL, *epochs, f"--workdir={workdir}"]
    return subprocess.Popen(command, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    cli.run(define_flags, main)
