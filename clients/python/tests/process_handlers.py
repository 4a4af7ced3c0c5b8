"""Handlers that run in processes of their own: such a process must be able to import them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

from jobbroker import JobContext, PermanentFailure


def double(context: JobContext) -> dict[str, int]:
    context.report(stage="doubling", progress=50)
    return {"n": context.metadata["n"] * 2}


def die(context: JobContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave(context: JobContext) -> None:
    sys.exit(3)


def refuse(context: JobContext) -> None:
    raise PermanentFailure("it can't be done")


def wait(context: JobContext) -> None:
    context.report(stage="waiting")
    context.cancelled.wait()
    context.raise_if_cancelled()


def ignore(context: JobContext) -> None:
    context.report(stage="waiting")
    threading.Event().wait()


def leave_a_fork_and_die(context: JobContext) -> None:
    left = os.fork()
    if left == 0:
        threading.Event().wait()
    context.report(stage=str(left))
    os._exit(3)


def hears_sigterm() -> bool:
    return signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def start_others(context: JobContext) -> dict[str, Any]:
    fork = os.fork()
    if fork == 0:
        os._exit(not hears_sigterm())
    _, status = os.waitpid(fork, 0)
    program = subprocess.run([sys.executable, __file__], stdout=subprocess.PIPE, text=True, check=True)
    return {"the fork hears": status == 0, "the program hears": program.stdout.strip() == "True"}


if __name__ == "__main__":
    print(hears_sigterm())
