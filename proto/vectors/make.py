#!/usr/bin/env python3
"""Writes frames/*.json. The bytes of sound messages come from protoc (protoc-c has the same --encode), those of
hostile ones are put together here by hand; JobBroker's own code has no part in either.

    proto/vectors/make.py            # after a change of this file or of the schema
    proto/vectors/make.py --check    # fails if the files are not what it would write
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent / "jobbroker.proto"
PROTOC = shutil.which("protoc") or "protoc-c"


# ------------------------------------------------------------------------------------------- messages by protoc

def field_types():
    """{message: {field: type}} of the schema; nested messages by their short name."""
    types, open_messages = {}, []
    for line in PROTO.read_text().splitlines():
        line = line.split("//")[0]
        for token in re.finditer(
                r"message (\w+) \{|(?:enum|oneof) \w+ \{|(?:optional |repeated )?(\w+) (\w+) = \d+;|\}", line):
            text = token.group(0)
            if text == "}":
                open_messages.pop()
            elif token.group(1):
                open_messages.append(token.group(1))
                types[token.group(1)] = {}
            elif text.endswith("{"):
                # The members of a oneof are fields of the message around it.
                open_messages.append(open_messages[-1] if text.startswith("oneof") else None)
            elif open_messages[-1]:
                types[open_messages[-1]][token.group(3)] = token.group(2)
    return types


TYPES = field_types()


def text_format(message, value):
    """The text format that protoc reads, of a message in the JSON form of README.md."""
    lines = []
    for name, content in value.items():
        kind = TYPES[message][name]
        for item in content if isinstance(content, list) else [content]:
            if kind in TYPES:
                lines.append(f"{name} {{ {text_format(kind, item)} }}")
            elif kind == "string":
                lines.append(f"{name}: " + '"' + "".join(f"\\{byte:03o}" for byte in item.encode()) + '"')
            elif kind == "bytes":
                lines.append(f"{name}: " + '"' + "".join(f"\\{byte:03o}" for byte in bytes.fromhex(item)) + '"')
            else:
                lines.append(f"{name}: {json.dumps(item) if isinstance(item, bool) else item}")
    return " ".join(lines)


def packed(message, value):
    """The bytes of a message, by protoc."""
    return subprocess.run(
        [PROTOC, f"--proto_path={PROTO.parent}", f"--encode=jobbroker.{message}", PROTO.name],
        input=text_format(message, value).encode(), stdout=subprocess.PIPE, check=True).stdout


# ------------------------------------------------------------------------------------------- bytes by hand

def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def framed(body):
    return len(body).to_bytes(4, "big") + body


# ------------------------------------------------------------------------------------------- the vectors

ID = "0193a5f0c2007abc8def0123456789ab"
ID2 = "0193a5f0c2017abc8def0123456789ab"
LONG = 10 * 365 * 86_400_000
HOLDER = {"name": "worker-1 å", "pid": 4242, "uid": 1000}
NUMBERS = {"retry_count": 0, "max_retries": 1, "lost_count": 0, "max_lost": 3, "priority": 0}
PENDING = {
    "id": ID, "type": "ingest", "status": "PENDING", "progress": 0, **NUMBERS, "attempt": 0,
    "created_at": 1732300000123, "updated_at": 1732300000123, "sequence": 1}
FULL = {
    "id": ID2, "type": "préview", "status": "PROCESSING", "progress": 42.5, "stage": "downloading 🎧",
    "metadata": '{"url":"https://example.org/ä.wav"}', "result": '{"ok":true}', "error": "line one\nline two",
    "retry_count": 1, "max_retries": 1000000, "lost_count": 2, "max_lost": 0, "priority": -2147483648,
    "not_before": 0, "unique_key": "k", "attempt": 4294967295, "worker": HOLDER,
    "lease_expires_at": 9223372036854775807, "created_at": 1, "updated_at": 2, "started_at": 3, "finished_at": 4,
    "history": [
        {"attempt": 1, "worker": HOLDER, "started_at": 5, "ended_at": 6, "cause": "CAUSE_LOST"},
        {"attempt": 2, "started_at": 7, "ended_at": 8, "cause": "CAUSE_FAILED", "error": "disk full"},
        {"attempt": 3, "started_at": 9, "ended_at": 10, "cause": "CAUSE_RELEASED", "error": ""},
        {"attempt": 4, "started_at": 11, "ended_at": 12, "cause": "CAUSE_CANCELLED"}],
    "sequence": 9223372036854775807}


def sound(direction, name, message):
    hexadecimal = framed(packed(direction.capitalize(), message)).hex()
    return {"name": name, "direction": direction, "hex": hexadecimal, "message": message}


def requests():
    for name, message in [
        ("hello, all fields", {"hello": {
            "protocol_version": 1, "client": "demo/1.0", "worker_name": "w-1", "read_only": True}}),
        ("hello, version alone", {"hello": {"protocol_version": 1}}),
        ("ping", {"ping": {}}),
        ("create, type alone", {"create": {"jobs": [{"type": "ingest"}]}}),
        ("create, all fields", {"create": {"jobs": [
            {"id": ID, "type": "ingest", "metadata": '{"a":"ö"}', "priority": 5, "max_retries": 0, "max_lost": 0,
             "not_before": 1732300000000, "unique_key": "album:7"},
            {"id": ID2, "type": "t" * 256, "metadata": "{}", "priority": -2147483648, "max_retries": 1000000,
             "max_lost": 1000000, "not_before": 0}]}}),
        ("get", {"get": {"id": ID}}),
        ("list, no field", {"list": {}}),
        ("list, all fields", {"list": {
            "status": "FAILED", "type": "save", "limit": 1000, "cursor": 77, "id_prefix": "0193a5"}}),
        ("update, a heartbeat", {"update": {"id": ID, "attempt": 1}}),
        ("update, all fields", {"update": {
            "id": ID, "attempt": 4294967295, "status": "COMPLETE", "progress": 100, "stage": "", "result": "{}",
            "error": "", "retry_count": 1000000}}),
        ("update, clear the stage", {"update": {"id": ID, "clear_stage": True}}),
        ("update, progress 0", {"update": {"id": ID, "progress": 0}}),
        ("complete, unfenced and without result", {"complete": {"id": ID}}),
        ("complete, all fields", {"complete": {"id": ID, "attempt": 2, "result": '{"lufs":-14.2}'}}),
        ("fail, id alone", {"fail": {"id": ID}}),
        ("fail, all fields", {"fail": {"id": ID, "attempt": 2, "error": "no such file", "retryable": True}}),
        ("release, id alone", {"release": {"id": ID}}),
        ("release, all fields", {"release": {"id": ID, "attempt": 2, "delay_ms": 1500}}),
        ("cancel", {"cancel": {"id": ID}}),
        ("retry", {"retry": {"id": ID}}),
        ("delete", {"delete": {"id": ID}}),
        ("claim, no field", {"claim": {}}),
        ("claim, all fields", {"claim": {
            "types": ["ingest", "preview"], "max_jobs": 100, "wait_ms": LONG, "lease_ms": 604800000}}),
        ("claim, shortest lease", {"claim": {"lease_ms": 10}}),
        ("withdraw", {"withdraw": {"claim_id": 2}}),
        ("reap, every type", {"reap": {"timeout_ms": 0}}),
        ("reap, all fields", {"reap": {"timeout_ms": 600000, "type": "ingest"}}),
        ("position", {"position": {"id": ID}}),
        ("watch, every job", {"watch": {}}),
        ("watch, one id", {"watch": {"ids": [ID]}}),
        ("watch, an id and a type", {"watch": {"ids": [ID], "types": ["ingest"]}}),
        ("unwatch", {"unwatch": {"watch_id": 18446744073709551615}}),
        ("stats", {"stats": {}}),
        ("workers", {"workers": {}}),
        ("pause", {"pause": {"type": "ingest"}}),
        ("resume", {"resume": {"type": "ingest"}}),
        ("prune, age alone", {"prune": {"older_than_ms": 0}}),
        ("prune, all fields", {"prune": {"older_than_ms": 86400000, "status": "CANCELLED", "type": "save"}}),
        ("backup", {"backup": {"path": "/var/backups/jobs é.db"}}),
    ]:
        yield sound("request", name, {"id": 7, **message})
    yield sound("request", "the largest id", {"id": 18446744073709551615, "ping": {}})

    def tolerated(name, body, message):
        return {"name": name, "direction": "request", "hex": framed(body).hex(), "message": message}

    get = block(1, bytes.fromhex(ID))
    yield tolerated("the id after the operation", block(3, b"") + number(1, 7), {"id": 7, "ping": {}})
    yield tolerated("the id twice: the last counts", number(1, 3) + number(1, 7) + block(3, b""),
                    {"id": 7, "ping": {}})
    yield tolerated("two operations: the last counts", number(1, 7) + block(5, get) + block(3, b""),
                    {"id": 7, "ping": {}})
    yield tolerated("a varint longer than it need be", b"\x08\x87\x80\x00" + block(3, b""), {"id": 7, "ping": {}})
    yield tolerated("unknown fields of every wire type",
                    number(1, 7) + block(3, number(90, 1)) + varint(91 << 3 | 1) + bytes(8) + block(92, b"\xff\x00")
                    + varint(93 << 3 | 5) + bytes(4),
                    {"id": 7, "ping": {}})


def responses():
    for name, message in [
        ("error without a job", {"id": 7, "error": {"code": "NOT_FOUND", "message": "Job ä not found"}}),
        ("error with a job", {"id": 7, "error": {"code": "STALE_CLAIM", "message": "m", "job": PENDING}}),
        *[(f"error {code}", {"id": 0, "error": {"code": code, "message": ""}}) for code in [
            "INVALID_ARGUMENT", "JOB_FINISHED", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
            "UNAVAILABLE", "UNKNOWN_OUTCOME", "UNSUPPORTED", "INTERNAL"]],
        ("welcome", {"id": 1, "welcome": {
            "protocol_version": 1, "server": "jobbrokerd/1.0.0", "max_frame": 1048576, "max_in_flight": 128}}),
        ("welcome with features", {"id": 1, "welcome": {
            "protocol_version": 1, "server": "x", "max_frame": 1, "max_in_flight": 1, "features": ["a", "b"]}}),
        ("pong", {"id": 7, "pong": {}}),
        ("created", {"id": 7, "created": {"jobs": [
            {"job": PENDING, "created": True}, {"job": FULL, "created": False}]}}),
        ("job, few fields", {"id": 7, "job": PENDING}),
        ("job, all fields", {"id": 7, "job": FULL}),
        ("jobs, none", {"id": 7, "jobs": {}}),
        ("jobs, with more to come", {"id": 7, "jobs": {"jobs": [PENDING, FULL], "next_cursor": 12}}),
        ("claimed, none", {"id": 7, "claimed": {}}),
        ("claimed", {"id": 7, "claimed": {"jobs": [FULL]}}),
        ("count", {"id": 7, "count": {"count": 12345678901}}),
        ("position", {"id": 7, "position": {"position": 1000000, "position_in_type": 0}}),
        ("position, none", {"id": 7, "position": {"position": -1, "position_in_type": -1}}),
        ("snapshot, empty", {"id": 7, "snapshot": {"more": False, "truncated": False}}),
        ("snapshot", {"id": 7, "snapshot": {"jobs": [PENDING], "more": True, "truncated": True}}),
        ("event, changed", {"id": 7, "event": {"changed": PENDING}}),
        ("event, deleted", {"id": 7, "event": {"deleted": ID}}),
        ("event, resync", {"id": 7, "event": {"resync": True}}),
        ("revoked", {"id": 0, "revoked": {"id": ID, "attempt": 3, "status": "CANCELLED", "reason": "cancelled"}}),
        ("revoked, deleted", {"id": 0, "revoked": {"id": ID, "attempt": 3, "reason": "deleted"}}),
        ("stats", {"id": 7, "stats": {
            "types": [{"type": "ingest", "pending": 1, "processing": 2, "complete": 3, "failed": 4, "cancelled": 5,
                       "paused": True}],
            "connections": 1, "waiting_claims": 2, "watches": 3, "commits": 4, "commands": 5, "uptime_ms": 6,
            "cpu_us": 7, "resident_bytes": 8, "server": "s", "store": "sqlite:/x", "pid": 9}}),
        ("workers", {"id": 7, "workers": {"workers": [
            {"holder": HOLDER, "client": "c", "connected_at": 1, "waiting": True, "waiting_types": ["a", "b"],
             "holds": [{"id": ID, "attempt": 1, "type": "ingest"}]},
            {"holder": HOLDER, "client": "", "connected_at": 2, "waiting": False}]}}),
        ("stats, truncated", {"id": 7, "stats": {
            "types": [{"type": "ingest", "pending": 1, "processing": 2, "complete": 3, "failed": 4, "cancelled": 5,
                       "paused": True}],
            "connections": 1, "waiting_claims": 2, "watches": 3, "commits": 4, "commands": 5, "uptime_ms": 6,
            "cpu_us": 7, "resident_bytes": 8, "server": "s", "store": "sqlite:/x", "pid": 9, "truncated": True}}),
        ("workers, truncated", {"id": 7, "workers": {"workers": [
            {"holder": HOLDER, "client": "c", "connected_at": 1, "waiting": False}], "truncated": True}}),
        ("done", {"id": 7, "done": {}}),
    ]:
        yield sound("response", name, message)


def hostile():
    def refused(name, body, code, contains, fatal=False, id=7, direction="request"):
        return {"name": name, "direction": direction, "hex": framed(body).hex(),
                "error": {"code": code, "contains": contains, "fatal": fatal, "id": id}}

    def invalid(name, operation, contains):
        return refused(name, packed("Request", {"id": 7, **operation}), "INVALID_ARGUMENT", contains)

    def malformed(name, body, contains="not a protobuf message", id=0):
        return refused(name, body, "INVALID_ARGUMENT", contains, fatal=True, id=id)

    seven = number(1, 7)

    def create(type_bytes):
        return seven + block(4, block(1, block(2, b"ingest")) + block(1, block(2, type_bytes)))

    yield malformed("text of another protocol", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    yield malformed("bytes of 255", b"\xff" * 32)
    yield malformed("a tag cut short", seven + b"\xa2", id=7)
    yield malformed("a varint cut short", b"\x08\x87")
    yield malformed("a varint of eleven bytes", b"\x08" + b"\x80" * 10 + b"\x01")
    yield malformed("a tag of six bytes", b"\x88\x80\x80\x80\x80\x00\x07")
    yield malformed("a length past the end", seven + b"\x22\x05\x01", id=7)
    yield malformed("a length of 2^32 - 1", seven + b"\x22\xff\xff\xff\xff\x0f", id=7)
    yield malformed("field number 0", seven + b"\x02\x00", id=7)
    yield malformed("a group", seven + b"\x1b\x1c", id=7)
    yield malformed("wire type 7", seven + b"\x1f\x00", id=7)
    yield malformed("a nested message cut short", seven + block(4, b"\x0a\x05\x12"), "create", id=7)

    yield refused("the id as text", block(1, b"7") + block(3, b""), "INVALID_ARGUMENT", "id has", id=0)
    yield refused("an operation as a number", seven + number(3, 1), "INVALID_ARGUMENT", "ping has")
    yield refused("no id", block(3, b""), "INVALID_ARGUMENT", "id", id=0)
    yield refused("id 0", number(1, 0) + block(3, b""), "INVALID_ARGUMENT", "id", id=0)
    yield refused("no operation", seven, "INVALID_ARGUMENT", "no operation")
    yield refused("an unknown operation", seven + block(99, b""), "UNSUPPORTED", "99")
    yield refused("1,001 unknown fields", seven + block(3, number(90, 1) * 1001), "INVALID_ARGUMENT", "1000")

    for name, text in [
        ("a continuation byte alone", b"\x80"), ("Latin-1", b"caf\xe9"), ("an overlong form", b"\xc0\xaf"),
        ("a surrogate", b"\xed\xa0\x80"), ("beyond U+10FFFF", b"\xf4\x90\x80\x80"),
        ("a character cut short", b"abcdefghijk\xf0\x9f\x8e"), ("byte 0xFF", b"\xff"),
    ]:
        yield refused(f"not UTF-8: {name}", create(text), "INVALID_ARGUMENT", "create.jobs[1].type")
    for name, text in [("in front", b"\0ingest"), ("within", b"ing\0est"), ("at the end", b"ingest-long\0")]:
        yield refused(f"NUL in a string, {name}", create(text), "INVALID_ARGUMENT", "create.jobs[1].type")
    yield refused("a bad string before the id", block(20, b"") + block(21, block(1, b"\xff")) + seven,
                  "INVALID_ARGUMENT", "pause.type")

    yield invalid("hello without a version", {"hello": {}}, "hello.protocol_version")
    yield invalid("a worker name with a control character",
                  {"hello": {"protocol_version": 1, "worker_name": "a\nb"}}, "hello.worker_name")
    yield invalid("create without a job", {"create": {}}, "create.jobs")
    for name, job, field in [
        ("without a type", {}, "type"), ("with an empty type", {"type": ""}, "type"),
        ("with a type of 257 bytes", {"type": "t" * 257}, "type"),
        ("with a tab in the type", {"type": "a\tb"}, "type"),
        ("with DEL in the type", {"type": "a\x7f"}, "type"),
        ("with an id of 15 bytes", {"type": "t", "id": ID[2:]}, "id"),
        ("with an empty id", {"type": "t", "id": ""}, "id"),
        ("with an empty unique_key", {"type": "t", "unique_key": ""}, "unique_key"),
        ("with a unique_key of 257 bytes", {"type": "t", "unique_key": "é" * 128 + "x"}, "unique_key"),
        ("with not_before -1", {"type": "t", "not_before": -1}, "not_before"),
        ("with too many retries", {"type": "t", "max_retries": 1000001}, "max_retries"),
        ("with too many losses", {"type": "t", "max_lost": 4294967295}, "max_lost"),
    ]:
        yield invalid(f"create {name}", {"create": {"jobs": [{"type": "ok"}, job]}}, f"create.jobs[1].{field}")
    for operation in ["get", "update", "complete", "fail", "release", "cancel", "retry", "delete", "position"]:
        yield invalid(f"{operation} without an id", {operation: {}}, f"{operation}.id")
        yield invalid(f"{operation} with an id of 17 bytes", {operation: {"id": ID + "00"}}, f"{operation}.id")
    for operation in ["update", "complete", "fail", "release"]:
        yield invalid(f"{operation} with attempt 0", {operation: {"id": ID, "attempt": 0}}, f"{operation}.attempt")
    for name, value in [("NaN", "nan"), ("infinity", "inf"), ("101", 101), ("-1", -1)]:
        yield invalid(f"progress {name}", {"update": {"id": ID, "progress": value}}, "update.progress")
    yield invalid("a stage that is set and cleared", {"update": {"id": ID, "stage": "s", "clear_stage": True}},
                  "update.stage")
    yield invalid("a stage of 257 bytes", {"update": {"id": ID, "stage": "s" * 257}}, "update.stage")
    yield invalid("an error of 16,385 bytes", {"fail": {"id": ID, "error": "e" * 16385}}, "fail.error")
    yield invalid("list with limit 0", {"list": {"limit": 0}}, "list.limit")
    yield invalid("list with limit 1,001", {"list": {"limit": 1001}}, "list.limit")
    for prefix in ["", "0193a5f0-c2", "xyz", ID + "0"]:
        yield invalid(f"list with id_prefix '{prefix}'", {"list": {"id_prefix": prefix}}, "list.id_prefix")
    yield invalid("claim of 0 jobs", {"claim": {"max_jobs": 0}}, "claim.max_jobs")
    yield invalid("claim of 101 jobs", {"claim": {"max_jobs": 101}}, "claim.max_jobs")
    yield invalid("claim with a lease of 9 ms", {"claim": {"lease_ms": 9}}, "claim.lease_ms")
    yield invalid("claim with a lease of more than 7 days", {"claim": {"lease_ms": 604800001}}, "claim.lease_ms")
    yield invalid("claim with an empty type", {"claim": {"types": ["a", ""]}}, "claim.types")
    yield invalid("withdraw without an id", {"withdraw": {}}, "withdraw.claim_id")
    yield invalid("reap without a timeout", {"reap": {"type": "ingest"}}, "reap.timeout_ms")
    yield invalid("watch of an id of 1 byte", {"watch": {"ids": ["00"]}}, "watch.ids")
    yield invalid("unwatch without an id", {"unwatch": {}}, "unwatch.watch_id")
    yield invalid("pause without a type", {"pause": {}}, "pause.type")
    yield invalid("resume with an empty type", {"resume": {"type": ""}}, "resume.type")
    yield invalid("prune without an age", {"prune": {}}, "prune.older_than_ms")
    yield invalid("prune of pending jobs", {"prune": {"older_than_ms": 1, "status": "PENDING"}}, "prune.status")
    yield invalid("backup without a path", {"backup": {}}, "backup.path")
    yield invalid("backup to a relative path", {"backup": {"path": "jobs.db"}}, "backup.path")

    id_field = block(1, bytes.fromhex(ID))
    for name, status in [("0", 0), ("99", 99), ("-1", 2**64 - 1)]:
        yield refused(f"status {name} in an update", seven + block(7, id_field + number(3, status)),
                      "UNSUPPORTED", "update.status")
    yield refused("an unknown status in a list", seven + block(6, number(1, 6)), "UNSUPPORTED", "list.status")

    def response(name, body, code, contains, fatal=False):
        return refused(name, body, code, contains, fatal, direction="response")

    yield response("a response cut short", seven + b"\x2a\x05", "INVALID_ARGUMENT", "not a protobuf message", True)
    yield response("an unknown reply", seven + block(99, b""), "UNSUPPORTED", "99")
    yield response("no reply", seven, "INVALID_ARGUMENT", "no reply")
    yield response("a job of an unknown status", seven + block(6, id_field + block(2, b"t") + number(3, 9)),
                   "UNSUPPORTED", "job.status")
    attempt = block(23, number(1, 1) + number(5, 9))
    yield response("a job with an attempt of an unknown cause",
                   seven + block(6, id_field + block(2, b"t") + number(3, 1) + attempt), "UNSUPPORTED", "job.history")
    yield response("a job without an id", seven + block(6, block(2, b"t") + number(3, 1)),
                   "INVALID_ARGUMENT", "job.id")
    yield response("an error that is not UTF-8", seven + block(2, block(2, b"\xff")),
                   "INVALID_ARGUMENT", "error.message")


def streams():
    ping, pong = framed(number(1, 7) + block(3, b"")), framed(number(1, 7) + block(4, b""))

    def stream(name, content, bodies, refused=False, partial=False):
        return {"name": name, "stream": content.hex(), "bodies": [body[4:].hex() for body in bodies],
                "refused": refused, "partial": partial}

    yield stream("nothing", b"", [])
    yield stream("one frame", ping, [ping])
    yield stream("three frames", ping + pong + ping, [ping, pong, ping])
    yield stream("part of a length", ping + ping[:3], [ping], partial=True)
    yield stream("a length alone", ping[:4], [], partial=True)
    yield stream("half a frame", ping + pong[:-1], [ping], partial=True)
    yield stream("the largest length", b"\x00\x10\x00\x00", [], partial=True)
    yield stream("one byte too large", ping + b"\x00\x10\x00\x01", [ping], refused=True)
    yield stream("length 0", ping + b"\0\0\0\0", [ping], refused=True)
    yield stream("4 GiB", b"\xff\xff\xff\xff\x08", [], refused=True)
    yield stream("text of another protocol", b"GET / HTTP/1.1\r\n\r\n", [], refused=True)


def main():
    is_check = sys.argv[1:] == ["--check"]
    stale = []
    for theme, entries in [
        ("requests", requests()), ("responses", responses()), ("hostile", hostile()), ("streams", streams())
    ]:
        path = HERE / "frames" / f"{theme}.json"
        lines = ",\n".join("  " + json.dumps(entry, ensure_ascii=False) for entry in entries)
        text = f"[\n{lines}\n]\n"
        if not is_check:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            stale.append(str(path.relative_to(HERE.parent.parent)))
    if stale:
        sys.exit(f"not what proto/vectors/make.py writes: {', '.join(stale)}; run make proto")


if __name__ == "__main__":
    main()
