"""The terminal output and the log files of a training run."""

import contextlib
import json
import math
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tensorboardX import SummaryWriter

from hkjax.errors import InputError
from hkjax.files import write_whole

# Without a terminal: the time until a compilation is first reported, and between later reports.
_SECONDS_UNTIL_SAID, _SECONDS_BETWEEN = 2.0, 10.0


@contextlib.contextmanager
def compiling(what: str) -> Iterator[None]:
    """Reports the time that compiling `what` takes within the context.

    A terminal shows a running clock. Without one, a compilation of more than two seconds prints a line then, another
    every ten seconds, and one at its end.
    """
    columns = (TextColumn("compiling {task.description} (first time)"), TimeElapsedColumn())
    start, said, compiled = time.perf_counter(), threading.Event(), threading.Event()

    def tell_the_time() -> None:
        pause = _SECONDS_UNTIL_SAID
        while not compiled.wait(pause):
            said.set()
            with contextlib.suppress(OSError, ValueError):  # The main thread reports a closed stream.
                print(f"compiling {what} (first time) ... {time.perf_counter() - start:.0f} s", flush=True)
            pause = _SECONDS_BETWEEN

    is_seen, clock = sys.stderr.isatty(), threading.Thread(target=tell_the_time, daemon=True)
    with Progress(*columns, disable=not is_seen, transient=True) as bar:
        bar.add_task(what)
        if not is_seen:
            clock.start()
        try:
            yield
        finally:
            compiled.set()
            if not is_seen:
                clock.join()
    if said.is_set():
        print(f"compiled {what} in {time.perf_counter() - start:.0f} s", flush=True)


class EpochBar:
    """One epoch's progress bar, with the loss and the examples per second; silent without a terminal."""

    def __init__(self, epoch: int, n_steps: int, batch_size: int):
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, disable=not sys.stderr.isatty(), transient=True)
        self._task = self._progress.add_task(f"epoch {epoch + 1}", total=n_steps)
        self._title, self._batch_size = f"epoch {epoch + 1}", batch_size
        self.seconds = 0.0

    def __enter__(self) -> "EpochBar":
        self._start = time.perf_counter()
        self._progress.start()
        return self

    def update(self, n_done: int, means: dict[str, float]) -> None:
        """Shows that `n_done` steps are done, with the means of the metrics so far."""
        rate = n_done * self._batch_size / (time.perf_counter() - self._start)
        loss = f"loss {means['loss']:.4f}  " if "loss" in means else ""
        text = f"{self._title}  {loss}{rate:,.0f} examples/s"
        self._progress.update(self._task, completed=n_done, description=text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        self.seconds = time.perf_counter() - self._start


def read_records(workdir: Path) -> list[dict[str, Any]]:
    """Reads a work directory's metrics.jsonl; empty where there is none.

    Raises:
        InputError: a line is no record, or has changed since it was written. The last one may be torn, as hkjax 0.1
            left it when killed while writing.
    """
    path, records = workdir / "metrics.jsonl", []
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            record = json.loads(line)
            right = record.pop("crc32", None) in (None, _crc32(record)) and _is_record(record)
        except (ValueError, TypeError, AttributeError, RecursionError):
            right = False
        if not right:
            raise InputError(
                f"{path}:{number}: not a record of an epoch as it was written; delete the line, and training resumes "
                "without it"
            )
        records.append(record)
    return records


def _is_record(record: dict[str, Any]) -> bool:
    return type(record.get("epoch")) is type(record.get("step")) is int and all(
        value is None or (isinstance(value, int | float) and math.isfinite(value)) for value in record.values()
    )


def best_record(records: Sequence[Mapping[str, Any]], monitor: str) -> Mapping[str, Any] | None:
    """Returns the first record with the highest value of the monitored metric, or None."""
    having = [record for record in records if record.get(f"validation_{monitor}") is not None]
    return max(having, key=lambda record: record[f"validation_{monitor}"], default=None)


def _crc32(record: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(record).encode()):08x}"


class EventLog:
    """The run's records, each a line of metrics.jsonl, TensorBoard events and a line on the terminal.

    Each record replaces the whole file, so that it is never torn. Each line ends with the CRC-32 of its record. Values
    that are not finite are null, since JSON lacks them.

    Args:
        workdir: where the files are.
        writes: whether to write; processes other than the first only keep the records.
        after_step: the step from which training resumes. Later records are of a run that was killed before it
            saved that far. They are dropped: the steps will be taken again.
    """

    def __init__(self, workdir: Path, after_step: int, writes: bool = True):
        self._path = workdir / "metrics.jsonl"
        by_epoch = {record["epoch"]: record for record in read_records(workdir) if record["step"] <= after_step}
        self.records = [by_epoch[epoch] for epoch in sorted(by_epoch)]
        self._writer = SummaryWriter(str(workdir / "tensorboard"), purge_step=after_step + 1) if writes else None
        if writes:
            self._write_file()

    def _write_file(self) -> None:
        lines = [json.dumps(record | {"crc32": _crc32(record)}) + "\n" for record in self.records]
        write_whole(self._path, "".join(lines))

    def warn_of_missing(self, n_epochs: int) -> None:
        """Prints which trained epochs have no record."""
        missing = sorted({*range(1, n_epochs + 1)} - {record["epoch"] for record in self.records})
        if missing and self._writer is not None:
            print(f"{self._path}: no record of epochs {', '.join(map(str, missing))}, which were trained")

    def write(self, record: dict[str, Any]) -> None:
        """Appends one epoch's record."""
        record = {name: value if math.isfinite(value) else None for name, value in record.items()}
        self.records.append(record)
        if self._writer is None:
            return
        self._write_file()
        for name, value in record.items():
            if name not in ("epoch", "step") and value is not None:
                self._writer.add_scalar(name.replace("_", "/", 1), value, record["step"])
        self._writer.flush()
        shown = "  ".join(
            f"{name.replace('_', ' ', 1)} {'not finite' if value is None else f'{value:.4f}'}"
            for name, value in record.items()
            if name not in ("epoch", "step", "seconds")
        )
        print(f"epoch {record['epoch']}  {record['seconds']:.1f} s  {shown}", flush=True)
