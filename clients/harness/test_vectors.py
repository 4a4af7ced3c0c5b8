"""Tests of what the conformance driver compares with."""

import unittest

from .vectors import SCHEMA, Pattern, framed, load


class SchemaTests(unittest.TestCase):
    def test_messages_say_what_the_bytes_of_protoc_say(self):
        for vector in load("frames/requests.json") + load("frames/responses.json"):
            with self.subTest(vector["name"]):
                kind = vector["direction"].capitalize()
                read = SCHEMA.decode(kind, bytes.fromhex(vector["hex"])[4:])
                self.assertIsNone(Pattern().mismatch(vector["message"], read))
                if kind == "Response":  # a request may say more, and the last member of a oneof counts
                    self.assertIsNone(Pattern().mismatch(read, vector["message"]))
                self.assertEqual(SCHEMA.decode(kind, SCHEMA.encode(kind, read)), read)

    def test_every_field_and_every_value_of_an_enum_is_in_a_frame(self):
        missing = {(kind, name) for kind, names in [*SCHEMA.messages.items(), *SCHEMA.enums.items()] for name in names}

        def see(message, value):
            for name, content in value.items():
                _, kind, is_repeated = SCHEMA.messages[message][name]
                missing.discard((message, name))
                for item in content if is_repeated else [content]:
                    missing.discard((kind, item) if kind in SCHEMA.enums else None)
                    if kind in SCHEMA.messages:
                        see(kind, item)

        for vector in load("frames/requests.json") + load("frames/responses.json"):
            see(vector["direction"].capitalize(), vector["message"])
        # The zeros are for what nobody says.
        self.assertEqual({name for _, name in missing}, {"STATUS_UNKNOWN", "CAUSE_UNKNOWN", "ERROR_UNKNOWN"})

    def test_an_announced_length_is_that_of_the_body(self):
        self.assertEqual(framed(b"abc"), b"\0\0\0\3abc")


class PatternTests(unittest.TestCase):
    ACTUAL = {"id": 3, "type": "ingest", "jobs": [1], "progress": 40.0, "more": True}

    def assert_mismatch(self, expected):
        self.assertIsNotNone(Pattern().mismatch(expected, self.ACTUAL), expected)

    def test_what_is_as_expected_matches(self):
        for expected in [{}, {"progress": 40}, {"type": "$any"}, {"type": {"$contains": "gest"}}, {"jobs": [1]},
                         {"stage": "$absent"}, {"stages": []}]:
            self.assertIsNone(Pattern().mismatch(expected, self.ACTUAL), expected)

    def test_every_kind_of_difference_is_noticed(self):
        for expected in [{"id": 4}, {"stage": "$any"}, {"type": "$absent"}, {"type": {"$contains": "x"}},
                         {"jobs": []}, {"jobs": [2]}, {"more": 1}, {"id": "3"}, {"stage": {}}]:
            self.assert_mismatch(expected)

    def test_a_placeholder_stands_for_what_it_matched_first(self):
        pattern = Pattern()
        self.assertIsNone(pattern.mismatch({"id": "$id"}, self.ACTUAL))
        self.assertEqual(pattern.filled({"get": ["$id", "$other"]}), {"get": [3, "$other"]})
        self.assertIsNotNone(pattern.mismatch({"id": "$id"}, {"id": 4}))
