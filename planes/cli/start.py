"""The programs `netplane` and `kubectl-netplane`, up to where the first module of ours is loaded.

Invariant: an interrupt ends the program with one line, also while its modules are being loaded; a
reader that goes away (`netplane pod list | head`) ends it without any. So this module imports
little: what is loaded before `run` begins is not covered.
"""

from __future__ import annotations

import errno
import os
import signal
import sys

INTERRUPTED = 130
READER_IS_GONE = 141
"""As of a program that SIGPIPE ended: 1 would say that a fault was found."""


def run() -> None:
    """Run the program: the entry point `netplane`."""
    _run("netplane")


def run_plugin() -> None:
    """Run the program as a plugin of kubectl: the entry point `kubectl-netplane`."""
    _run("kubectl netplane")


def _run(prog: str) -> None:
    _open_missing_streams()
    # A shell that starts this program in the background, or with `nohup`, may have it ignore
    # SIGINT: only SIGKILL would end it then. While modules are loaded nothing is to be undone, and
    # an exception is dangerous: orjson crashes where the modules that it loads raise one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    from planes.cli.__main__ import main  # noqa: PLC0415

    try:
        # Both raise, so that what was begun is undone. asyncio cancels its tasks in good order
        # upon Python's own handler of SIGINT only.
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        status = main(sys.argv[1:], os.environ, sys.stdout, sys.stderr, prog=prog)
    except KeyboardInterrupt:
        _let_signals_end_us()
        _note("interrupted")
        status = INTERRUPTED
    except BrokenPipeError:
        status = READER_IS_GONE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _note(f"cannot go on: {error.strerror}")
        status = 1
    # What ends now is Python itself, whose tracebacks nobody wants to read.
    _let_signals_end_us()
    sys.exit(_flushed(status))


def _end(_number: int, _frame: object) -> None:
    """End the process at once: no module of ours is loaded yet that could need an end."""
    _note("interrupted")
    os._exit(INTERRUPTED)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _let_signals_end_us() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _note(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:  # nobody reads it
        return


def _open_missing_streams() -> None:
    """Write to nowhere where a caller closed a stream (`>&-`): Python has None in its place."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _flushed(status: int) -> int:
    """Write what is left, and return the exit status; drop what cannot be written.

    Python would report at its end that a reader is gone.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            _note(f"cannot write all of the output: {error.strerror}")
            status = status or 1
    return status
