"""The client, against a broker that misbehaves."""

import logging
import sys

from jobbroker import Backoff, Client, JobBrokerError, new_job_id


def hostile(socket_path: str) -> None:
    """For each line on stdin, gets a job and prints what that comes to."""
    logging.disable()
    with Client(socket_path, backoff=Backoff(initial=0.001)) as client:
        for _ in sys.stdin:
            try:
                client.get(new_job_id())
                print("OK")
            except JobBrokerError as error:
                print(error.code)
