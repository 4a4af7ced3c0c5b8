#!/usr/bin/env python3
"""Tests that the conformance driver notices what is wrong with an adapter. Needs JOBBROKERD."""

import contextlib
import unittest
from unittest import mock

import conformance

EXPECTED = conformance.FOLDER / "conformance" / "expected.jsonl"


@contextlib.contextmanager
def adapter(script):
    """In place of every adapter, a shell script."""
    with mock.patch.object(conformance, "adapter_command", lambda language: ["sh", "-c", script, "adapter"]):
        yield


class ConformanceTests(unittest.TestCase):
    def assert_failure(self, part, script, pattern):
        with adapter(script), self.assertRaisesRegex(conformance.Failure, pattern):
            part("any")

    def test_the_expected_lines_pass(self):
        with adapter(f"cat {EXPECTED}"):
            self.assertEqual(conformance.scenario("any"), f"{len(EXPECTED.read_text().splitlines())} lines")

    def test_another_line_is_shown_beside_the_expected_one(self):
        self.assert_failure(conformance.scenario, f"sed s/STALE_CLAIM/NOT_FOUND/ {EXPECTED}",
                            '(?s)-{"code":"STALE_CLAIM".*[+]{"code":"NOT_FOUND"')

    def test_a_missing_line_is_shown(self):
        self.assert_failure(conformance.scenario, f"grep -v revoked {EXPECTED}", '-.*"step":"revoked"')

    def test_a_bad_exit_is_a_failure(self):
        self.assert_failure(conformance.scenario, f"cat {EXPECTED}; exit 3", "status 3")

    def test_an_adapter_that_is_not_there_is_a_failure(self):
        with mock.patch.object(conformance, "adapter_command", lambda language: ["/nowhere/run"]):
            with self.assertRaisesRegex(conformance.Failure, "can't be started"):
                conformance.frames("any")

    def test_an_adapter_that_does_not_answer_is_ended(self):
        with mock.patch.object(conformance, "TIME_LIMIT", 0.1):
            self.assert_failure(conformance.frames, "exec sleep 1000", "has ended")

    def test_wrong_answers_are_named(self):
        answers = r"""while read -r kind rest; do echo '{"id":7}'; done"""
        self.assert_failure(conformance.frames, answers, r"(?s)ping: the adapter's answer can't be read.*pong: .*one frame:")

    def test_a_session_that_goes_wrong_is_named(self):
        answers = r"""while read -r kind hex rest; do case $kind in request) echo "$hex";; *) echo '{}';; esac; done"""
        self.assert_failure(conformance.sessions, answers, "handshake: handshake: step 2: message.id is absent")


if __name__ == "__main__":
    unittest.main()
