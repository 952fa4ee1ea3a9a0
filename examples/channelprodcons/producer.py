#!/usr/bin/env python3
"""A producer in Python: it sends numbers to one consumer after the other, and prints their factors.

    python3 examples/channelprodcons/producer.py --key key

It sends and receives bytes, never objects: see consumer.py. Unlike the producer in Go it serves one
consumer at a time, and one that says nothing holds it up, as Python's accept and recv have no timeout.
"""

import argparse
import json
import signal
import sys
from collections import deque
from math import prod
from multiprocessing import AuthenticationError
from multiprocessing.connection import Listener

LONGEST = 1024  # bytes of a message


def feed(conn, items):
    """Have a consumer factor the numbers, and remove those that are done."""
    while items:
        i, number = items[0]
        conn.send_bytes(json.dumps({"id": i, "number": number}).encode())
        answer = json.loads(conn.recv_bytes(LONGEST))
        if answer["id"] != i or prod(answer["factors"]) != number:
            raise ValueError(f"an answer that does not fit: {answer}")
        print(number, "=", " × ".join(map(str, answer["factors"])), flush=True)
        items.popleft()


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it, without a traceback
    sys.stdout.reconfigure(encoding="utf-8")
    parser = argparse.ArgumentParser()
    parser.add_argument("--addr", default="127.0.0.1:25003")
    parser.add_argument("--key", required=True, help="the file with the key")
    parser.add_argument("--first", type=int, default=1_000_001)
    parser.add_argument("--count", type=int, default=20)
    args = parser.parse_args()
    host, _, port = args.addr.rpartition(":")
    with open(args.key, "rb") as f:
        key = f.read()
    items = deque(enumerate(range(args.first, args.first + args.count)))
    with Listener((host, int(port)), authkey=key) as listener:
        print("listening on %s:%d" % listener.address, flush=True)
        while items:
            try:
                conn = listener.accept()
            except (AuthenticationError, EOFError, ConnectionError) as err:
                print("refused:", err, file=sys.stderr)
                continue
            try:
                with conn:
                    feed(conn, items)
            except (EOFError, OSError, ValueError, KeyError, TypeError) as err:
                print(items[0][1], "is for another consumer:", err, file=sys.stderr)


if __name__ == "__main__":
    main()
