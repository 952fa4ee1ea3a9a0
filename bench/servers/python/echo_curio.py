"""The echo server on Python's Curio: curio.tcp_server, a task per connection.

    echo_curio.py PORT
"""

import sys

import curio

BUFFER = 16 << 10  # that of every server here that chooses one


async def echo(client, address):
    try:
        while data := await client.recv(BUFFER):
            await client.sendall(data)
    except OSError:
        pass  # the client has gone


async def main(port):
    await curio.tcp_server("127.0.0.1", port, echo, backlog=4096)


if __name__ == "__main__":
    curio.run(main, int(sys.argv[1]))
