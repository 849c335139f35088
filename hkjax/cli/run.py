"""The common part of all command lines: flags, help, and errors as one line on stderr."""

import contextlib
import io
import logging
import os
import re
import sys
import textwrap
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import absl.logging
import jax
from absl import flags

from hkjax.config import settings
from hkjax.errors import InputError, PeerError, TerminationError, nearest, printable

_NEEDED = {
    "workdir": "a work directory: --workdir=runs/NAME",
    "interactions": "a table of interactions: --interactions=FILE",
    "user": "a user: --user=ID",
    "item": "an item: --item=ID",
    "export": "a folder to write to: --export=FOLDER",
}
_OUT_OF_MEMORY = "out of memory ({}); choose smaller data, model.dim or training.batch_size"


def run(
    define_flags: Callable[[], None],
    main: Callable[[], None],
    about: str | None,
    config: type | None = None,
    needs: Sequence[str] = (),
) -> None:
    """Defines and parses the flags, runs `main`, and exits.

    The exit code is 0 without an error. After one line on stderr it is 2 for a user error, 1 for the loss of another
    process, 130 on Ctrl-C and 143 on SIGTERM.

    Args:
        define_flags: defines absl flags.
        main: runs once they are parsed.
        about: the first lines of --help.
        config: the dataclass behind --config; --help lists its keys.
        needs: flags that must be given.
    """
    _open_standard_streams()
    # Errors that orbax and JAX log are also raised as exceptions.
    absl.logging.set_verbosity(absl.logging.FATAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        asks_for_help = bool({"--help", "-h", "--helpshort", "--helpfull"} & set(sys.argv[1:]))
        if asks_for_help:
            del sys.argv[1:]
        before = {*flags.FLAGS}
        _parse(define_flags, config)
        if asks_for_help:
            print(_help(about, sorted({*flags.FLAGS} - before), config))
            return
        for name in needs:
            if not flags.FLAGS[name].value:
                raise InputError(f"name {_NEEDED[name]}")
        if "workdir" in needs:
            _keep_compiled(Path(flags.FLAGS.workdir))
        main()
        sys.stdout.flush()
    except InputError as error:
        _fail(error)
    except TerminationError as stop:
        print(stop, file=sys.stderr)
        sys.exit(stop.code)
    except KeyboardInterrupt:
        print("stopped by SIGINT", file=sys.stderr)
        _leave(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Nobody reads stdout any more: the flush at exit goes nowhere.
        sys.exit(141)
    except PeerError as error:
        _fail(error, code=1)
    except MemoryError as error:
        _fail(_OUT_OF_MEMORY.format(error))
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            traceback.print_exc()
            _leave(1)
        _fail(_OUT_OF_MEMORY.format(str(error).splitlines()[0]))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else error)
    except Exception:  # A bug of hkjax.
        traceback.print_exc()
        _leave(1)


def _open_standard_streams() -> None:
    """Opens closed standard streams on /dev/null, so that no other file takes their place and receives the output."""
    while (file := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(file)
    sys.stdout, sys.stderr = sys.stdout or open(1, "w"), sys.stderr or open(2, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # Names that the terminal's encoding lacks are no error.


def _keep_compiled(workdir: Path) -> None:
    """Keeps compiled programs in $HKJAX_CACHE, by default beside the work directory; `off` keeps none."""
    folder = os.environ.get("HKJAX_CACHE", str(workdir.parent / ".hkjax_cache"))
    if folder not in ("", "off") and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
        # If the cache can't be written or is damaged, programs are compiled without it.
        warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache")


def _parse(define_flags: Callable[[], None], config: type | None) -> None:
    try:
        with warnings.catch_warnings():
            # ml_collections reads config files by a method that Python deprecates.
            warnings.filterwarnings("ignore", "the load_module", DeprecationWarning)
            define_flags()
            unused = flags.FLAGS(sys.argv)[1:]
    except InputError:
        raise
    except flags.Error as error:
        # ml_collections puts the whole traceback of a configuration file into its message; the last line is the cause.
        lines = str(error).strip().splitlines()
        raise InputError(lines[0] if len(lines) == 1 else f"{lines[0].rstrip(':')}: {lines[-1]}") from error
    # ml_collections raises these for a key that the configuration lacks.
    except (AttributeError, KeyError) as error:
        if "get_config" in str(error):
            raise InputError("--config: the file defines no function get_config()") from error
        name = re.sub(r"\W*(\w*).*", r"\1", str(error), flags=re.DOTALL)
        keys = {setting.key.split(".")[-1] for setting in settings(config)} if config else set()
        raise InputError(f"--config: unknown key {name!r}{nearest(name, keys)}; --help lists all keys") from error
    except (Exception, SystemExit) as error:  # Any error in a configuration file's code.
        raise InputError(f"--config: {_place(error)}{type(error).__name__}: {error}") from error
    if unused:
        raise InputError(f"unexpected argument {unused[0]!r}")


def _place(error: BaseException) -> str:
    """Returns the file and line that raised an error; empty for a library."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    file, line = frame.filename, frame.lineno
    if isinstance(error, SyntaxError) and error.filename:
        file, line = error.filename, error.lineno
    return "" if "site-packages" in file else f"{file}:{line}: "


def _help(about: str | None, names: Sequence[str], config: type | None) -> str:
    """Returns the command's description, its flags and the configuration's keys, each with its meaning."""
    lines = [about or "", "flags:"]
    for flag in (flags.FLAGS[name] for name in names if "." not in name):
        default = "none" if flag.value is None or flag.name == "config" else flag.default_unparsed
        lines += _entry(f"--{flag.name}", f"default {default}", flag.help or "")
    if config is not None:
        lines += [
            "",
            "keys of the configuration, set by --config.KEY=VALUE or in a config file, which replaces these defaults;",
            "model[NAME].KEY is --config.model.KEY where the config file is for that model:",
        ]
        for setting in settings(config):
            lines += _entry(setting.key, f"{setting.kind}, default {setting.default!r}", setting.meaning)
    return "\n".join(lines)


def _entry(name: str, kind: str, meaning: str) -> list[str]:
    return [f"  {name}  ({kind})", *textwrap.wrap(meaning, 100, initial_indent=" " * 6, subsequent_indent=" " * 6)]


def _fail(message: object, code: int = 2) -> None:
    line = printable(" ".join(str(message).replace("\\n", " ").split()))
    print(f"error: {line}", file=sys.stderr, flush=True)
    _leave(code)


def _leave(code: int) -> None:
    """Exits even where `sys.exit` would wait, for processes that wait for this one or for a failed write."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if jax.distributed.is_initialized() or any(not thread.daemon for thread in others):
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
