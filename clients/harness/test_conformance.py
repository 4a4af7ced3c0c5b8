"""Tests that the conformance driver notices what is wrong with an adapter. Needs JOBBROKERD."""

import contextlib
import unittest
from unittest import mock

from . import hostile as hostile_replies
from . import processes
from .frames import frames
from .hostile import hostile
from .processes import Failure
from .scenario import scenario
from .sessions import sessions
from .vectors import FOLDER

EXPECTED = FOLDER / "conformance" / "expected.jsonl"


@contextlib.contextmanager
def adapter(script):
    """In place of every adapter, a shell script."""
    with mock.patch.object(processes, "adapter_command", lambda language: ["sh", "-c", script, "adapter"]):
        yield


class ConformanceTests(unittest.TestCase):
    def assert_failure(self, part, script, pattern):
        with adapter(script), self.assertRaisesRegex(Failure, pattern):
            part("any")

    def test_the_expected_lines_pass(self):
        with adapter(f"cat {EXPECTED}"):
            self.assertEqual(scenario("any"), f"{len(EXPECTED.read_text().splitlines())} lines")

    def test_another_line_is_shown_beside_the_expected_one(self):
        self.assert_failure(scenario, f"sed s/STALE_CLAIM/NOT_FOUND/ {EXPECTED}",
                            '(?s)-{"code":"STALE_CLAIM".*[+]{"code":"NOT_FOUND"')

    def test_a_missing_line_is_shown(self):
        self.assert_failure(scenario, f"grep -v revoked {EXPECTED}", '-.*"step":"revoked"')

    def test_a_bad_exit_is_a_failure(self):
        self.assert_failure(scenario, f"cat {EXPECTED}; exit 3", "status 3")

    def test_an_adapter_that_is_not_there_is_a_failure(self):
        with mock.patch.object(processes, "adapter_command", lambda language: ["/nowhere/run"]):
            with self.assertRaisesRegex(Failure, "can't be started"):
                frames("any")

    def test_an_adapter_that_does_not_answer_is_ended(self):
        with mock.patch.object(processes, "TIME_LIMIT", 0.1):
            self.assert_failure(frames, "exec sleep 1000", "has ended")

    def test_wrong_answers_are_named(self):
        answers = r"""while read -r kind rest; do echo '{"id":7}'; done"""
        self.assert_failure(frames, answers, r"(?s)ping: the adapter's answer can't be read.*pong: .*one frame:")

    def test_a_hostile_reply_that_is_believed_is_named(self):
        self.assert_failure(hostile, "while read -r call; do echo OK; done", r"a job of an unknown status: .*\['OK', 'OK', 'OK'\]")

    def test_a_descriptor_that_is_left_open_is_named(self):
        leaky = 'at=3; while read -r call; do eval "exec $at</dev/null"; at=$((at + 1)); echo OK; done'
        with mock.patch.object(hostile_replies, "PATIENCE", 0):
            self.assert_failure(hostile, leaky, "the client leaves 2 descriptors open")

    def test_a_session_that_goes_wrong_is_named(self):
        answers = r"""while read -r kind hex rest; do case $kind in request) echo "$hex";; *) echo '{}';; esac; done"""
        self.assert_failure(sessions, answers, "handshake: handshake: step 2: message.id is absent")
