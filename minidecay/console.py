"""What commands meet: pipes that close, encodings with few characters, a scheduler's SIGTERM."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import NoReturn, ParamSpec

P = ParamSpec("P")

CLOSED_PIPE = 141  # 128 + SIGPIPE, as a shell shows it
TERMINATED = 143  # 128 + SIGTERM


class Terminated(KeyboardInterrupt):
    """SIGTERM came: whoever started this process, such as a cluster's scheduler, ends it."""


def terminate(*_: object) -> NoReturn:
    """The handler of SIGTERM while a command runs."""
    raise Terminated


def tolerant(main: Callable[P, int]) -> Callable[P, int]:
    """Decorate a command's main: it ends quietly when its reader does, as `| head` does.

    What standard output cannot encode (±, a folder's odd name) becomes a question mark. SIGTERM is
    `Terminated`, so that what is open is closed and a last word said; the exit code is 143.
    """

    @wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        if hasattr(sys.stdout, "reconfigure"):  # it may have been replaced by something simpler
            sys.stdout.reconfigure(errors="replace")
        try:
            with _told_of_sigterm():
                code = main(*args, **kwargs)
                sys.stdout.flush()
        except Terminated:
            return TERMINATED
        except BrokenPipeError:
            # Python flushes once more at its end, and would complain then.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return CLOSED_PIPE
        return code

    return run


@contextmanager
def _told_of_sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    main = threading.current_thread() is threading.main_thread()  # no other may set a handler
    if not main or before in (signal.SIG_IGN, None):
        yield
        return
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
