"""The sessions: the sockets are held here, the adapter writes the requests and reads the responses."""

import contextlib
import json
import socket

from .processes import TIME_LIMIT, Broker, Failure, running_adapter
from .vectors import FOLDER, SCHEMA, Pattern, framed, load, read_frame


def sessions(language):
    """Runs the sessions: the sockets are held here, the adapter writes the requests and reads the responses."""
    wrong, count = [], 0
    with running_adapter(language, "frames") as adapter:
        for path in sorted((FOLDER / "sessions").glob("*.json")):
            for session in load(path):
                count += 1
                with Broker.running() as broker:
                    mismatch = run_session(session["steps"], broker, adapter)
                if mismatch:
                    wrong.append(f"{path.stem}: {session['name']}: {mismatch}")
    if wrong:
        raise Failure("\n".join(wrong))
    return f"{count} sessions"


def run_session(steps, broker, adapter):
    """What is not as expected; None when all is."""
    pattern = Pattern()
    with contextlib.ExitStack() as open_connections:
        connections = {}

        def connection(name):
            if name not in connections:
                connections[name] = open_connections.enter_context(
                    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                connections[name].settimeout(TIME_LIMIT)
                connections[name].connect(broker.socket)
            return connections[name]

        for number, step in enumerate(steps, 1):
            peer = connection(step.get("on", ""))
            try:
                mismatch = run_step(step, peer, pattern, adapter)
            except OSError as error:
                mismatch = str(error)
            if mismatch:
                return f"step {number}: {mismatch}"
            if "disconnect" in step:
                del connections[step.get("on", "")]
    return None


def run_step(step, peer, pattern, adapter):
    if "send" in step:
        message = pattern.filled(step["send"])
        own = framed(SCHEMA.encode("Request", message)).hex()
        written = adapter.ask("request", own, json.dumps(message))
        # A client may be unable to say what the broker would refuse.
        peer.sendall(bytes.fromhex(own if written == "refused" else written))
    elif "send_hex" in step:
        peer.sendall(bytes.fromhex(step["send_hex"]))
    elif "expect" in step:
        frame = read_frame(peer)
        if not frame:
            return "the broker has closed the connection"
        return pattern.mismatch(step["expect"], json.loads(adapter.ask("response", frame.hex())))
    elif "close" in step:
        return "the broker goes on" if read_frame(peer) else None
    elif "disconnect" in step:
        peer.close()
    return None
