"""The vectors of frames, through a client's codec."""

import json

from .processes import Failure, running_adapter
from .vectors import SCHEMA, Pattern, framed, load


def frames(language):
    wrong, count = [], 0
    with running_adapter(language, "frames") as adapter:
        for vector in load("frames/requests.json"):
            written = adapter.ask("request", vector["hex"], json.dumps(vector["message"]))
            count += 1
            wrong += report(vector, lambda: Pattern().mismatch(vector["message"], read_request(written)))
        for vector in load("frames/responses.json") + load("frames/hostile.json"):
            if vector["direction"] != "response":
                continue
            answer = adapter.ask("response", vector["hex"])
            count += 1
            wrong += report(vector, lambda: wrong_response(vector, json.loads(answer)))
        for vector in load("frames/streams.json"):
            answer = adapter.ask("stream", vector["stream"])
            count += 1
            wrong += report(vector, lambda: wrong_stream(vector, json.loads(answer)))
    if wrong:
        raise Failure("\n".join(wrong))
    return f"{count} vectors"


def report(vector, check):
    """The mismatch that a check finds, as a list of lines."""
    try:
        mismatch = check()
    except (ValueError, KeyError, IndexError) as error:
        mismatch = f"the adapter's answer can't be read: {error}"
    return [f"{vector['name']}: {mismatch}"] if mismatch else []


def read_request(text):
    frame = bytes.fromhex(text)
    if framed(frame[4:]) != frame:
        raise ValueError("not one frame")
    return SCHEMA.decode("Request", frame[4:])


def wrong_response(vector, answer):
    if "error" in vector:
        error = vector["error"]
        expected = {"fatal": True} if error["fatal"] else {"fatal": False, "id": error["id"]}
        return None if answer == expected else f"is {answer}, but should be refused as {expected}"
    return Pattern().mismatch(vector["message"], answer) or Pattern().mismatch(answer, vector["message"])


def wrong_stream(vector, answer):
    expected = {name: vector[name] for name in ("bodies", "refused", "partial")}
    if vector["refused"]:
        # What is left after a refusal is nobody's business.
        expected.pop("partial")
    return Pattern().mismatch(expected, answer)
