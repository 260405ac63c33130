"""Standard output as commands find it: a pipe that closes, an encoding with few characters."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

P = ParamSpec("P")

CLOSED_PIPE = 141  # 128 + SIGPIPE, as a shell shows it


def tolerant(main: Callable[P, int]) -> Callable[P, int]:
    """Decorate a command's main: it ends quietly when its reader does, as `| head` does.

    What standard output cannot encode (±, a folder's odd name) becomes a question mark.
    """

    @wraps(main)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        if hasattr(sys.stdout, "reconfigure"):  # it may have been replaced by something simpler
            sys.stdout.reconfigure(errors="replace")
        try:
            code = main(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes once more at its end, and would complain then.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return CLOSED_PIPE
        return code

    return run
