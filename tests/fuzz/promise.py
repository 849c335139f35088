"""The one promise: a command does what it says, or ends with code 2 and one line; in bounded memory and time."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import hypothesis

ROOT = Path(__file__).parents[2]
_MOST_SECONDS, _MOST_BYTES = 90.0, 3 << 30


class Result(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float
    bytes: int


class Commands:
    """A server of `tests.fuzz.server`, and the log of what it ran.

    Args:
        log: a file that receives a line of JSON for each command; None for none.
    """

    def __init__(self, log: Path | None = None):
        environment = {**os.environ, "JAX_NUM_CPU_DEVICES": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(Path(__file__).with_name("server.py"))]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._log, self._process = log, subprocess.Popen(command, env=environment, **pipes)

    def run(self, *args: str, kind: str, folder: Path = ROOT, **options: Any) -> Result:
        """Runs `hkjax ARGS` and checks the promise.

        Args:
            args: the command line.
            kind: what kind of case this is, for the log.
            folder: the working directory.
            options: `closed`, file descriptors to close, and `signal` with `after`, to be sent after so many seconds.
        """
        request = {"args": list(args), "folder": str(folder), **options}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        result = Result(**json.loads(self._process.stdout.readline()))
        fault = broken_promise(result, options)
        if self._log is not None:
            facts = {"kind": kind, "verb": args[0], "code": result.code, "seconds": round(result.seconds, 2)}
            facts |= {
                "bytes": result.bytes,
                "fault": fault,
                "args": args if fault else [],
                "err": result.err[:2000] if fault else "",
            }
            with self._log.open("a") as file:
                file.write(json.dumps(facts) + "\n")
        assert fault is None, f"{fault}\nhkjax {' '.join(args)}\n{result.err[-3000:]}"
        return result

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def broken_promise(result: Result, options: dict[str, Any]) -> str | None:
    """What a result breaks of the promise, in words; None where nothing."""
    expected = {0, 2}
    if options.get("signal"):
        expected |= {128 + options["signal"], -options["signal"]}
    lines = result.err.splitlines()
    if result.code not in expected:
        return f"exit code {result.code}"
    if "Traceback" in result.err:
        return "a traceback"
    if result.code == 2 and 2 not in options.get("closed", ()) and not lines:
        return "no line says why"
    if result.code == 2 and sum(line.startswith("error: ") for line in lines) != (2 not in options.get("closed", ())):
        return "not one error"
    if not_notices := [line for line in lines if not is_notice(line)]:
        return f"noise on stderr: {not_notices[0]}"
    if any(not (character.isprintable() or character == "\n") for character in result.err):
        return "control characters on stderr"
    if result.seconds > _MOST_SECONDS:
        return f"{result.seconds:.0f} seconds"
    return f"{result.bytes / 2**30:.1f} GiB" if result.bytes > _MOST_BYTES else None


def is_notice(line: str) -> bool:
    """Whether a line is one of those that hkjax writes to stderr."""
    notices = ("are unknown and get popular items", "this is of ", "; moved to ", "; read again from ", "stopped by ")
    return line.startswith("error: ") or any(notice in line for notice in notices)


def is_long() -> bool:
    """Whether `make fuzz` runs, and not the suite."""
    return os.environ.get("HKJAX_FUZZ") == "long"


def examples(short: int, long: int) -> Callable[[Any], Any]:
    """How many cases a test tries: by `make fuzz` the larger number."""
    profile = hypothesis.settings(
        max_examples=long if is_long() else short,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
        # A case takes seconds: what fails is reported as it is.
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    return lambda test: profile(test)
