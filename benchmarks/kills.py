"""Kills a training run repeatedly while others read its directory, and compares its end with an undisturbed run's.

python benchmarks/kills.py --rounds=20 --workdir=runs/kills
python benchmarks/kills.py --rounds=5 --signal=SIGTERM --workdir=runs/stops
python benchmarks/kills.py --config=configs/hakg_synthetic.py --workdir=runs/hakg-kills
"""

import collections
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import numpy as np
from absl import flags

from hkjax.cli.run import run
from hkjax.errors import InputError
from hkjax.runs import load_workdir
from hkjax.training.progress import read_records
from hkjax.training.saving.checkpoint import Checkpoints

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
    start(whole).communicate()
    stop, answers = threading.Event(), collections.Counter[str]()
    python = Path(sys.executable)
    commands = ((str(python), "evaluate.py"), (str(python.with_name("hkjax")), "recommend", "--users=0"))
    readers = [threading.Thread(target=_read_on, args=(command, killed, stop, answers)) for command in commands]
    for i in range(flags.FLAGS.rounds):
        process, before = start(killed), len(read_records(killed))
        while process.poll() is None and len(read_records(killed)) <= before:
            time.sleep(0.01)
        if not i:
            for reader in readers:
                reader.start()
        try:
            process.wait(timeout=random.uniform(0, 3))
            raise InputError("the run ended before it could be killed; choose more --epochs")
        except subprocess.TimeoutExpired:
            process.send_signal(getattr(signal, flags.FLAGS.signal))
        _, line = process.communicate()
        saved, n_epochs = Checkpoints(killed.resolve() / "checkpoints", "auc").latest, len(read_records(killed))
        print(
            f"round {i + 1}: exit code {process.returncode}, epoch {n_epochs}, saved at step {saved} {line}", flush=True
        )
    last = start(killed)
    last.communicate()
    stop.set()
    for reader in readers:
        reader.join()
    epochs = [[record["epoch"] for record in read_records(workdir)] for workdir in (killed, whole)]
    first, second = (load_workdir(workdir, "latest").params for workdir in (killed, whole))
    equal = all(jax.tree.leaves(jax.tree.map(lambda a, b: bool((a == b).all()), first, second)))
    print(f"others read meanwhile: {dict(answers)}")
    whole_records = epochs[0] == epochs[1] == [*range(1, len(epochs[1]) + 1)]
    print(f"records: {len(epochs[0])}, {'without gap or double' if whole_records else 'WITH GAPS OR DOUBLES'}")
    print(f"run to the end (exit code {last.returncode}): parameters {'equal bit for bit' if equal else 'DIFFER'}")
    sys.exit(0 if equal and whole_records and {*answers} <= {"exit code 0"} else 1)


def start(workdir: Path) -> subprocess.Popen[str]:
    epochs = (f"--config.training.epochs={flags.FLAGS.epochs}", f"--config.training.patience={flags.FLAGS.epochs}")
    command = [sys.executable, "train.py", f"--config={flags.FLAGS.config}", *_SMALL, *epochs, f"--workdir={workdir}"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _read_on(command: tuple[str, ...], workdir: Path, stop: threading.Event, answers: collections.Counter[str]) -> None:
    """Reads until `stop` is set, and counts the exit codes."""
    while not stop.is_set():
        reader = subprocess.run([*command, f"--workdir={workdir}"], capture_output=True, text=True, check=False)
        notice = " and a notice" if reader.returncode == 0 and reader.stderr else ""
        answers[f"exit code {reader.returncode}{notice}"] += 1
        if reader.stderr:
            print(f"{command[1]}: {reader.stderr.strip()[-300:]}", flush=True)


if __name__ == "__main__":
    run(define_flags, main, __doc__)
