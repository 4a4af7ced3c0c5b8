"""The vectors of proto/vectors: messages as JSON and as bytes by the schema, and the patterns of sessions. Shares no
code with the clients that are tested against them."""

import json
import re
import struct
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "proto" / "vectors"


def load(path):
    return json.loads((FOLDER / path).read_text())


class Schema:
    """Reads and writes the messages of a .proto file. See proto/vectors/README.md for their form as JSON."""

    def __init__(self, text):
        self.messages = {}  # {message: {field: (number, type, is repeated)}}
        self.enums = {}  # {enum: {name: number}}
        blocks = []  # the fields, or values, that the braces open around a line add to
        for line in text.splitlines():
            for opening, name, label, kind, field, number, closing in re.findall(
                    r"(message|enum|oneof) (\w+) \{|(?:(optional|repeated) )?(?:(\w+) )?(\w+) = (\d+);|(\})",
                    line.split("//")[0]):
                if closing:
                    blocks.pop()
                elif opening == "oneof":
                    blocks.append(blocks[-1])
                elif opening:
                    blocks.append((self.messages if opening == "message" else self.enums).setdefault(name, {}))
                elif kind:
                    blocks[-1][field] = (int(number), kind, label == "repeated")
                elif blocks:
                    blocks[-1][field] = int(number)

    def encode(self, message, value):
        """The bytes of a message."""
        out = bytearray()
        for name, content in value.items():
            field, kind, is_repeated = self.messages[message][name]
            for item in content if is_repeated else [content]:
                if kind in self.messages:
                    out += block(field, self.encode(kind, item))
                elif kind == "string":
                    out += block(field, item.encode())
                elif kind == "bytes":
                    out += block(field, bytes.fromhex(item))
                elif kind == "double":
                    out += varint(field << 3 | 1) + struct.pack("<d", float(item))
                elif kind == "sint32":
                    out += number(field, (item << 1 ^ item >> 31) & 0xFFFFFFFF)
                elif kind in self.enums:
                    out += number(field, self.enums[kind][item])
                else:
                    out += number(field, int(item) & 0xFFFFFFFFFFFFFFFF)
        return bytes(out)

    def decode(self, message, data):
        """A message from its bytes, without the fields that are not in the schema."""
        fields = {number: (name, kind, is_repeated)
                  for name, (number, kind, is_repeated) in self.messages[message].items()}
        result, at = {}, 0
        while at < len(data):
            tag, at = read_varint(data, at)
            if tag & 7 == 0:
                content, at = read_varint(data, at)
            else:
                length, at = read_varint(data, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
                content, at = data[at:at + length], at + length
            if tag >> 3 not in fields:
                continue
            name, kind, is_repeated = fields[tag >> 3]
            item = self.value(kind, content)
            if is_repeated:
                result.setdefault(name, []).append(item)
            else:
                result[name] = item
        return result

    def value(self, kind, content):
        if kind in self.messages:
            return self.decode(kind, content)
        if kind in self.enums:
            return next((name for name, number in self.enums[kind].items() if number == content), content)
        if kind == "string":
            return content.decode()
        if kind == "bytes":
            return content.hex()
        if kind == "double":
            return struct.unpack("<d", content)[0]
        if kind == "bool":
            return content != 0
        if kind == "sint32":
            return content >> 1 ^ -(content & 1)
        return content - (1 << 64) if kind.startswith("int") and content >> 63 else content


SCHEMA = Schema((FOLDER.parent / "jobbroker.proto").read_text())


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def framed(body):
    return len(body).to_bytes(4, "big") + body


def read_frame(peer):
    """A whole frame; empty at the end of the stream."""
    prefix = read_exactly(peer, 4)
    return prefix + read_exactly(peer, int.from_bytes(prefix, "big")) if prefix else b""


def read_exactly(peer, count):
    data = b""
    while len(data) < count:
        try:
            piece = peer.recv(count - len(data))
        except ConnectionResetError:
            # The broker closed while bytes that it did not want were on their way.
            piece = b""
        if not piece:
            return b""
        data += piece
    return data


class Pattern:
    """Compares messages with what is expected and remembers what the placeholders stand for."""

    ABSENT = object()

    def __init__(self):
        self.bindings = {}

    def filled(self, value):
        """A request with its placeholders replaced by what they stand for."""
        if isinstance(value, str):
            return self.bindings.get(value, value)
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        if isinstance(value, dict):
            return {name: self.filled(item) for name, item in value.items()}
        return value

    def mismatch(self, expected, actual, path="message"):
        """What about `actual` is not as expected; None when all is."""
        absent = actual is Pattern.ABSENT
        if expected == "$absent":
            return None if absent else f"{path} is {actual!r}, but should be absent"
        if absent:
            return None if expected == [] else f"{path} is absent, but should be {expected!r}"
        if expected == "$any":
            return None
        if isinstance(expected, str) and expected.startswith("$"):
            if expected in self.bindings:
                return self.mismatch(self.bindings[expected], actual, path)
            self.bindings[expected] = actual
            return None
        if isinstance(expected, dict) and "$contains" in expected:
            if isinstance(actual, str) and expected["$contains"] in actual:
                return None
            return f"{path} is {actual!r}, but should contain {expected['$contains']!r}"
        if isinstance(expected, dict) and isinstance(actual, dict):
            found = (self.mismatch(value, actual.get(name, Pattern.ABSENT), f"{path}.{name}")
                     for name, value in expected.items())
            return next((text for text in found if text), None)
        if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
            found = (self.mismatch(*pair, f"{path}[{index}]") for index, pair in enumerate(zip(expected, actual)))
            return next((text for text in found if text), None)
        # In Python True == 1.
        same = expected == actual and isinstance(expected, bool) == isinstance(actual, bool)
        return None if same else f"{path} is {actual!r}, but should be {expected!r}"
