"""The scenario: every client must print the same."""

import contextlib
import difflib

from .processes import Broker, Failure, running_adapter
from .vectors import FOLDER


def scenario(language):
    expected = (FOLDER / "conformance" / "expected.jsonl").read_text(encoding="utf-8").splitlines()
    actual, failure = [], None
    with Broker.running() as broker:
        try:
            with running_adapter(language, "scenario", broker.socket) as adapter:
                for line in adapter.process.stdout:
                    actual.append(line.rstrip("\n"))
                    if actual[-1] == '{"step":"restart"}':
                        broker.kill()
                        broker.spawn()
                        # An adapter that has ended meanwhile is judged by its lines and its status.
                        with contextlib.suppress(Failure):
                            adapter.write("the broker was killed")
        except Failure as error:
            failure = error
    if actual and actual != expected:
        diff = difflib.unified_diff(expected, actual, "expected", "actual", lineterm="", n=1)
        raise Failure("\n".join([*([str(failure)] if failure else []), *diff]))
    if failure:
        raise failure
    return f"{len(actual)} lines"
