"""The other side of the tests: multiprocessing.connection, as it is in this Python.

Each line of standard input is a connection, made by

    listen|connect  port|path  key in hexadecimal|-  digest|-

one after the other. What has become of it is a line of standard output. On a connection the Go
side says what to do, by messages that begin with "!"; all others are sent back.
"""

import hashlib
import hmac
import multiprocessing.connection as connection
import os
import struct
import sys
from multiprocessing import AuthenticationError


def say(*words):
    print(*words, flush=True)


def write(conn, data):
    """Write bytes past the format."""
    while data:
        data = data[conn._write(conn.fileno(), data):]


def talk(conn):
    while True:
        message = conn.recv_bytes()
        command, _, rest = message.partition(b":")
        if command == b"!send":
            conn.send_bytes(b"x" * int(rest))
        elif command == b"!pickle":
            conn.send({"key": [1, 2.5, None]})
        elif command == b"!raw":
            write(conn, rest)
        elif command == b"!long":
            write(conn, struct.pack("!iQ", -1, len(rest)) + rest)
        elif command == b"!sum":
            conn.send_bytes(hashlib.sha256(rest).hexdigest().encode())
        elif command == b"!most":
            conn.recv_bytes(int(rest))
        elif command == b"!close":
            return "closed"
        else:
            conn.send_bytes(message)


def listen(address, key, digest):
    listener = connection.Listener(address, authkey=None if digest else key)
    with listener:
        at = listener.address
        say("listening", at[1] if isinstance(at, tuple) else os.fsdecode(at).replace("\0", "@"))
        conn = listener.accept()
        if digest:
            try:
                connection.deliver_challenge(conn, key, digest)
                connection.answer_challenge(conn, key)
            except AuthenticationError:
                conn.close()
                raise
        return conn


def connect(address, key, digest):
    return connection.Client(address, authkey=key)


create_response = getattr(connection, "_create_response", None)


def choose(digest):
    """Have answers be made by that digest, whatever the challenge asks for."""
    if digest == "bare-md5":
        connection._create_response = lambda key, message: hmac.new(key, message, "md5").digest()
    elif digest:
        connection._create_response = lambda key, message: (
            b"{%s}" % digest.encode() + hmac.new(key, message, digest).digest())
    elif create_response:
        connection._create_response = create_response


def main():
    say(sys.version.split()[0])
    for line in sys.stdin:
        side, address, key, digest = line.split()
        address = ("127.0.0.1", int(address)) if address.isdigit() else address
        if address[0] == "@":
            address = "\0" + address[1:]
        key = None if key == "-" else bytes.fromhex(key)
        digest = None if digest == "-" else digest
        choose(digest)
        try:
            with {"listen": listen, "connect": connect}[side](address, key, digest) as conn:
                say("connected")
                say(talk(conn))
        except (AuthenticationError, AssertionError):  # the latter before 3.12
            say("refused")
        except EOFError:
            say("end")
        except OSError as err:
            say("error:", err)


main()
