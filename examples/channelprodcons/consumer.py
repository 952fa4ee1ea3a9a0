#!/usr/bin/env python3
"""A consumer in Python: it factors the numbers that a producer sends.

    python3 examples/channelprodcons/consumer.py --key key

It sends and receives bytes, never objects: Connection.send is a pickle, which only Python can read, and
Connection.recv would run whatever the other side has pickled.
"""

import argparse
import json
import signal
import time
from multiprocessing.connection import Client

LONGEST = 1024  # bytes of a message
LARGEST = 10**12


def factor(n):
    factors, f = [], 2
    while f * f <= n:
        while n % f == 0:
            factors.append(f)
            n //= f
        f += 1
    return factors + [n] if n > 1 else factors


def connect(address, key, patience):
    """Connect, and wait until the producer is there: Client does not."""
    until = time.monotonic() + patience
    while True:
        try:
            return Client(address, authkey=key)
        except (ConnectionRefusedError, ConnectionResetError):
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it, without a traceback
    parser = argparse.ArgumentParser()
    parser.add_argument("--addr", default="127.0.0.1:25003")
    parser.add_argument("--key", required=True, help="the file with the key")
    parser.add_argument("--patience", type=float, default=60, help="seconds to wait for the producer")
    args = parser.parse_args()
    host, _, port = args.addr.rpartition(":")
    with open(args.key, "rb") as f:
        key = f.read()
    with connect((host, int(port)), key, args.patience) as conn:
        while True:
            try:
                item = json.loads(conn.recv_bytes(LONGEST))
            except EOFError:
                return
            if not 2 <= item["number"] <= LARGEST:
                raise ValueError(f"the producer wants the factors of {item['number']}")
            print("factoring", item["number"], flush=True)
            answer = {"id": item["id"], "factors": factor(item["number"])}
            conn.send_bytes(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
