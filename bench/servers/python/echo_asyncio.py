"""The echo server on asyncio, by two of its interfaces.

    echo_asyncio.py streams|protocol PORT

streams: a task per connection with a StreamReader and a StreamWriter, which is
what its documentation shows.  protocol: callbacks, the fastest way that asyncio
has; there is no task, and nothing waits.
"""

import asyncio
import sys

BUFFER = 16 << 10  # that of every server here that chooses one


async def streams(port):
    server = await asyncio.start_server(echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


async def echo(reader, writer):
    try:
        while data := await reader.read(BUFFER):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # the client has gone
    finally:
        writer.close()


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    # A client that does not read is not read from.
    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


async def protocol(port):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run({"streams": streams, "protocol": protocol}[sys.argv[1]](int(sys.argv[2])))
