#!/usr/bin/python3
"""A server for a programme guide (EPG), with a binary protocol, one main loop in
asyncio, and Landmark's agent: examples/epgd in Python. Its clients are the same:

    bin/epgd -ask HOST:PORT

SIGUSR1 makes the main loop hang: the process, its port and its agent stay alive, but no
client gets a programme. SIGUSR2 lets the loop continue. SIGTERM and SIGINT end the
program with a goodbye to landmarkd.
"""

import argparse
import asyncio
import logging
import os
import re
import signal
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../agent/python"))
import landmark

# The EPG protocol, over TCP, as in examples/epgd/protocol.go.
MAGIC = b"EPG1"
REQUEST = struct.Struct(">4sHq")  # the magic, the channel, the time in seconds since 1970
ANSWER = struct.Struct(">4sBqIB")  # the magic, 0 = found, the start, the duration and the title's length
NO_SUCH_CHANNEL = ANSWER.pack(MAGIC, 1, 0, 0, 0)

MAX_CONNECTIONS = 4000
IDLE_SECONDS = 300  # how long a connection may wait for its next request

CHANNELS = 8  # numbered from 1
LENGTH = 1800  # seconds of each programme
TITLES = [
    "News at the Hour", "The Lighthouse Keepers", "Cooking with Salt", "Night Trains",
    "A Short History of Bread", "Harbour Patrol", "The Long Meadow", "Late Film",
    "Questions, Please", "Weather for Sailors", "Repair Shop",
]  # fmt: skip


def answer(request):
    """Returns the answer to a request, None if it is not one."""
    magic, channel, at = REQUEST.unpack(request)
    if magic != MAGIC:
        return None
    if not 1 <= channel <= CHANNELS:
        return NO_SUCH_CHANNEL
    start = at - at % LENGTH
    title = TITLES[(start // LENGTH + 3 * channel) % len(TITLES)].encode()
    return ANSWER.pack(MAGIC, 0, start, LENGTH, len(title)) + title


class Server:
    """Does all of its work on the main loop. When that blocks, only the landmark shows it."""

    def __init__(self):
        self.connections = 0
        self.hung = False
        self.ending = asyncio.Event()

    async def run(self, host, port, loop_landmark):
        aio = asyncio.get_running_loop()
        # The get-state command. It must be answered here, on the main loop, and nowhere
        # else: only then does the answer prove that this loop works.
        aio.add_reader(loop_landmark, loop_landmark.answer)
        server = await asyncio.start_server(self.serve, host, port)
        # Not asyncio's handlers: these run on the main thread while the loop hangs, too.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.end(aio))
        signal.signal(signal.SIGUSR1, lambda *_: self.hang())
        signal.signal(signal.SIGUSR2, lambda *_: self.resume())
        logging.info("serving programmes on %s:%d", host, port)
        await self.ending.wait()
        server.close()

    async def serve(self, reader, writer):
        """Answers the requests of one connection until it ends."""
        self.connections += 1
        try:
            while self.connections <= MAX_CONNECTIONS:
                request = await asyncio.wait_for(reader.readexactly(REQUEST.size), IDLE_SECONDS)
                reply = answer(request)
                if reply is None:
                    break
                writer.write(reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, OSError):
            pass
        finally:
            self.connections -= 1
            writer.close()

    def hang(self):
        """Blocks the loop as a deadlock or an endless computation would."""
        if self.hung:
            return
        logging.warning("the main loop hangs until SIGUSR2")
        self.hung = True
        while self.hung:
            time.sleep(0.01)
        logging.info("the main loop continues")

    def resume(self):
        self.hung = False

    def end(self, aio):
        self.hung = False
        aio.call_soon_threadsafe(self.ending.set)


def duration(text):
    """Returns the seconds of a duration such as 500ms or 2s."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 500ms or 2s")
    return float(match[1]) / {"ms": 1000, "s": 1}[match[2]]


def main():
    flags = argparse.ArgumentParser(prog="epgd.py", description="Serves a programme guide and reports its main loop to landmarkd.")
    flags.add_argument("-listen", default="127.0.0.1:9000", metavar="HOST:PORT", help="serve programmes there")
    flags.add_argument("-service", default="epg", metavar="NAME", help="report as this service")
    flags.add_argument("-instance", default="", metavar="NAME", help="report as this instance; if empty, a unique name")
    flags.add_argument("-within", default="1s", type=duration, metavar="TIME", help="the main loop must answer within this time")
    flags.add_argument("-agent-socket", default="", metavar="PATH", help="report to landmarkd there")
    o = flags.parse_args()
    host, _, port = o.listen.rpartition(":")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")

    marks = landmark.Set()
    loop_landmark = marks.loop("main loop", o.within)
    agent = landmark.start(o.service, marks, instance=o.instance, socket=o.agent_socket)
    try:
        asyncio.run(Server().run(host, int(port), loop_landmark))
    except OSError as e:
        sys.exit(f"epgd.py: -listen {o.listen}: {e}")
    # Only here, where the program ends on purpose: an exit without it is a crash.
    agent.close()


if __name__ == "__main__":
    main()
