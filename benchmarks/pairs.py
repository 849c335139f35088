"""Repeatedly starts two training runs on one directory at once: one trains, the other ends in seconds with an error.

python benchmarks/pairs.py --workdir=runs/pairs
"""

import subprocess
import sys
import time
from pathlib import Path

from absl import flags

from hkjax.cli.run import run
from hkjax.errors import InputError
from hkjax.training.progress import read_records

_SMALL = ("--config.synthetic.n_users=60", "--config.training.batch_size=64", "--config.training.epochs=40")
_SECONDS = 5.0


def define_flags() -> None:
    flags.DEFINE_string("workdir", None, "A new folder for the runs.")
    flags.DEFINE_integer("pairs", 10, "How many pairs.")


def main() -> None:
    folder, right = Path(flags.FLAGS.workdir), 0
    if folder.exists():
        raise InputError(f"{folder}: exists already; choose a new --workdir")
    for k in range(flags.FLAGS.pairs):
        workdir, begin = folder / str(k), time.monotonic()
        command = [sys.executable, "train.py", *_SMALL, "--config.training.patience=40", f"--workdir={workdir}"]
        both = [
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(2)
        ]
        while (loser := next((process for process in both if process.poll() is not None), None)) is None:
            time.sleep(0.01)
        seconds = time.monotonic() - begin
        (winner,) = (process for process in both if process is not loser)
        (_, line), (_, silence) = loser.communicate(), winner.communicate()
        epochs = [record["epoch"] for record in read_records(workdir)]
        fine = (loser.returncode, winner.returncode, silence) == (2, 0, "") and epochs == [*range(1, 41)]
        right += fine and seconds < _SECONDS and line.count("\n") == 1
        print(f"pair {k + 1}: {seconds:.1f} s, {line.strip()}", flush=True)
    print(f"{right} of {flags.FLAGS.pairs}: one trained, the other ended with one line within {_SECONDS:g} s")
    sys.exit(0 if right == flags.FLAGS.pairs else 1)


if __name__ == "__main__":
    run(define_flags, main, __doc__)
