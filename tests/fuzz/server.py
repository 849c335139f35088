"""Runs hkjax commands, each in a process of its own that is forked with all imports done; by itself a process.

It reads one request a line, {"args", "folder", "closed", "signal", "after"}, and answers each with a line:
{"code", "out", "err", "seconds", "bytes"}.
"""

import json
import os
import resource
import signal
import sys
import tempfile
import time

# Far more than any case needs, and less than would disturb other processes.
_SECONDS, _BYTES = 120, 6 << 30


def serve() -> None:
    for verb in ("inspect", "train", "evaluate", "recommend", "explain", "similar", "export"):
        __import__(f"hkjax.cli.{verb}")
    import matplotlib.figure  # noqa: F401

    import hkjax.cli.main

    for line in sys.stdin:
        request = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            start = time.monotonic()
            child = os.fork()
            if not child:
                _be(request, out.fileno(), err.fileno())
                hkjax.cli.main.main()
                sys.exit(0)
            code, bytes_used = _wait(child, request.get("signal"), request.get("after", 0.0))
            seconds = time.monotonic() - start
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        answer = {"code": code, "out": texts[0], "err": texts[1], "seconds": seconds, "bytes": bytes_used}
        print(json.dumps(answer), flush=True)


def _be(request: dict, out: int, err: int) -> None:
    """Makes the process that of the command."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for number in request.get("closed", ()):
        os.close(number)
    sys.stdin = open(0)  # noqa: SIM115
    sys.stdout = None if 1 in request.get("closed", ()) else open(1, "w")  # noqa: SIM115
    sys.stderr = None if 2 in request.get("closed", ()) else open(2, "w")  # noqa: SIM115
    os.chdir(request["folder"])
    resource.setrlimit(resource.RLIMIT_DATA, (_BYTES, _BYTES))
    sys.argv = ["hkjax", *request["args"]]


def _wait(child: int, number: int | None, after: float) -> tuple[int, int]:
    """Waits for a process, sends it the signal if there is one, and kills it once its time is up."""
    start = time.monotonic()
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
        if number and time.monotonic() - start > after:
            os.kill(child, number)
            number = None
        if time.monotonic() - start > _SECONDS:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)


if __name__ == "__main__":
    serve()
