"""Recorded boots for the tests: a guest on a switch answers a client and writes to its disk; replays of its log.

The image is guests/demo: it counts on TCP port 7000, each value with an fsync.
"""

import json
import os
import socket
import subprocess
import tempfile
import time
import unittest

from guest import Guest


class RecordingTest(unittest.TestCase):
    def folder(self):
        if not hasattr(self, "folder_"):
            self.folder_ = tempfile.mkdtemp(prefix="pollux-recording-")
            self.addCleanup(subprocess.run, ["rm", "-rf", self.folder_])
        return self.folder_

    def switch(self, pollux):
        """A switch in front of the guest; returns the words for the guest and the port that leads to its server."""
        path = os.path.join(self.folder(), "switch")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen([pollux, "switch", path, "--forward", f"tcp:{port}:7000"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 20
        while not os.path.exists(path):
            self.assertLess(time.monotonic(), deadline, "the switch does not appear")
            time.sleep(0.01)
        return ["--net", "switch=" + path], port

    def count(self, port, times):
        """Traffic: asks the guest's server for so many values over one connection."""
        deadline = time.monotonic() + 120
        while True:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                stream = connection.makefile("rwb", buffering=0)
                stream.write(b"?\n")  # the forwarded port answers before the guest's server does
                if stream.readline() == b"0\n":
                    for value in range(1, times + 1):
                        stream.write(b"next\n")
                        self.assertEqual(stream.readline(), b"%d\n" % value)
                    return
            self.assertLess(time.monotonic(), deadline, "the guest's server does not answer")

    def record_boot(self, pollux, image, log):
        """From power-on to power-off, with network traffic and disk writes; returns the run's report."""
        net, port = self.switch(pollux)
        with Guest(pollux, image, ["--memory", "256M", "--engine", "translate", "--record", log, *net]) as guest:
            guest.log_in()
            self.count(port, 300)
            guest.command("ls -lR /etc > /root/list; sync; cat /proc/interrupts")
            self.assertEqual(guest.power_off(), 0)
            return json.loads(guest.output().splitlines()[-1])

    def replays(self, pollux, engine, log, recorded):
        """A replay compares every mark on its way, and ends where the recording did."""
        result = subprocess.run([pollux, "replay", log, "--engine", engine, "--json"], capture_output=True, text=True,
                                timeout=1200)
        self.assertEqual(result.returncode, 0, result.stderr)
        replayed = json.loads(result.stdout.splitlines()[-1])
        self.assertEqual(replayed["digest"], recorded["digest"])
        self.assertEqual(replayed["position"], recorded["position"])
        self.assertEqual(replayed["marks"], recorded["marks"] + 1, "every mark, and the digest at the end")
        self.assertGreater(replayed["marks"], 10)

    def holds_every_kind(self, pollux, log):
        """Prints what is in the log, by kind."""
        about = subprocess.run([pollux, "log", log], capture_output=True, text=True, check=True).stdout
        print(about)
        for kind in ("packet", "disk-completion", "console", "clock", "mark"):
            self.assertRegex(about, rf"(?m)^{kind}\s+[1-9]")
