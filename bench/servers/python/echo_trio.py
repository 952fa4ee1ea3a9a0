"""The echo server on Trio: trio.serve_tcp, a task per connection.

    echo_trio.py PORT
"""

import sys

import trio

BUFFER = 16 << 10  # that of every server here that chooses one


async def echo(stream):
    try:
        while data := await stream.receive_some(BUFFER):
            await stream.send_all(data)
    except trio.BrokenResourceError:
        pass  # the client has gone


async def main(port):
    await trio.serve_tcp(echo, port, host="127.0.0.1", backlog=4096)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
