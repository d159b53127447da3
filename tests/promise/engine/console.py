"""The conversation with the agent (workloads/agent.c) over a serial line or over pipes, with host times of arrival."""

import os
import select
import time


class Silent(Exception):
    """The other side ended, or did not say in time what was awaited."""


class Console:
    """Lines of one machine, each with the host's time (or what else `clock` tells) at which its end arrived.

    `read` and `write` are file descriptors. Where `shares_clock`, the other end's clock is this host's, and the times
    that its marks carry are taken rather than the times at which they arrive.
    """

    def __init__(self, read, write, shares_clock=False):
        self.read, self.write, self.shares_clock = read, write, shares_clock
        self.clock = time.monotonic
        self.text = b""
        self.log = []  # the last lines, for a failure's report

    def _more(self, deadline):
        wait = deadline - time.monotonic()
        if wait <= 0 or not select.select([self.read], [], [], wait)[0]:
            raise Silent("said nothing in time; its last words: " + self.tail())
        try:
            piece = os.read(self.read, 65536)
        except OSError:
            piece = b""
        arrived = self.clock()
        if not piece:
            raise Silent("ended; its last words: " + self.tail())
        self.text += piece
        return arrived

    def tail(self):
        return " | ".join([*self.log[-8:], self.text[-300:].decode(errors="replace").strip()])

    def text_time(self, text, limit_s):
        """When this text arrived, wherever in a line; what came before it is dropped."""
        arrived = self.clock()
        deadline = time.monotonic() + limit_s
        while text not in self.text:
            arrived = self._more(deadline)
            self.text = self.text[-65536:]
        self.text = self.text[self.text.index(text) + len(text):]
        return arrived

    def lines(self, limit_s):
        """Yields (line, time of arrival); a line that the kernel put before a marker of ours is cut off."""
        deadline = time.monotonic() + limit_s
        arrived = self.clock()
        while True:
            while b"\n" in self.text:
                line, self.text = self.text.split(b"\n", 1)
                line = line.decode(errors="replace").strip()
                self.log = [*self.log[-20:], line]
                yield line[line.index("@"):] if "@" in line else line, arrived
            arrived = self._more(deadline)

    def wait_ready(self, limit_s):
        for line, _ in self.lines(limit_s):
            if line == "@ready":
                return

    def command(self, command, limit_s):
        """Runs one command of sh. Returns (seconds, checksum) or raises Failed."""
        os.write(self.write, command.encode() + b"\n")
        times, output = {}, []
        for line, arrived in self.lines(limit_s):
            word = line.split(" ")[0]
            if word in ("@begin", "@start", "@stop", "@done"):
                times[word] = float(line.split(" ")[1]) if self.shares_clock else arrived
            elif word == "@output":
                output.append(line[8:])
            elif word == "@end":
                _, status, checksum = line.split(" ")
                if status != "0":
                    raise Failed(f"status {status}: {' | '.join(output)[-500:]}")
                if "@start" in times and "@stop" in times:
                    return times["@stop"] - times["@start"], checksum
                return times["@done"] - times["@begin"], checksum
        raise Silent("ended")

    def quit(self):
        os.write(self.write, b"@quit\n")


class Failed(Exception):
    """A command that ended with an error."""
