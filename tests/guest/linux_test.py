"""Stock Debian: boots to a shell, keeps time, uses its disk, obeys its power button; a recording of it replays.

Usage: linux_test.py POLLUX OTHER_POLLUX IMAGE [TEST...]. OTHER_POLLUX, another build, replays what POLLUX recorded; where
it was not built, POLLUX alone does. The image is guests/demo: it counts on TCP port 7000, each value with an fsync.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from guest import Guest

POLLUX = OTHER = IMAGE = ""


class Linux(unittest.TestCase):
    def guest(self, *arguments):
        guest = Guest(POLLUX, IMAGE, arguments)
        self.addCleanup(guest.close)
        return guest

    def test_shell_clock_disk_and_power(self):
        guest = self.guest("--memory", "256M")
        guest.log_in()
        self.assertIn("x86_64", guest.command("uname -m"))
        for pause in (0, 3):  # running, and after idling
            time.sleep(pause)
            before = time.time()
            answer = float(guest.command("date +%s.%N"))
            after = time.time()
            self.assertGreater(answer, before - 0.05)
            self.assertLess(answer, after + 0.05)
        begun = time.monotonic()
        guest.command("sleep 1")
        self.assertAlmostEqual(time.monotonic() - begun, 1.0, delta=0.6)
        guest.command("dd if=/dev/urandom of=/root/noise bs=64k count=40 status=none && sync")
        self.assertEqual(guest.command("cat /root/noise | wc -c"), str(64 * 1024 * 40))
        guest.command("echo 3 > /proc/sys/vm/drop_caches; sha256sum /root/noise > /root/sum && sha256sum -c /root/sum")
        self.assertEqual(guest.power_off(), 0)
        self.assertIn("power-off", guest.output())
        self.assertEqual(subprocess.run(["e2fsck", "-fn", guest.disk], capture_output=True).returncode, 0)

    def test_power_button_shuts_down(self):
        guest = self.guest("--memory", "256M")
        guest.log_in()
        guest.process.send_signal(signal.SIGPWR)
        self.assertEqual(guest.wait(), 0)
        self.assertIn("power-off", guest.output())

    def switch(self):
        """A switch in front of the guest; returns the words for the guest and the port that leads to its server."""
        path = os.path.join(self.folder(), "switch")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen([POLLUX, "switch", path, "--forward", f"tcp:{port}:7000"])
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

    def test_a_recorded_boot_replays_to_equal_digests(self):
        log = os.path.join(self.folder(), "boot.log")
        net, port = self.switch()
        guest = self.guest("--memory", "256M", "--engine", "translate", "--record", log, *net)
        guest.log_in()
        self.count(port, 300)
        guest.command("ls -lR /etc > /root/list; sync; cat /proc/interrupts")
        self.assertEqual(guest.power_off(), 0)
        recorded = json.loads(guest.output().splitlines()[-1])
        # By every engine, and by the other build.
        for program, engine in (POLLUX, "translate"), (POLLUX, "interpret"), (POLLUX, "check"), (OTHER, "translate"):
            if os.path.exists(program):
                self.replays(program, engine, log, recorded)
        about = subprocess.run([POLLUX, "log", log], capture_output=True, text=True, check=True).stdout
        print(about)
        for kind in ("packet", "disk-completion", "console", "clock", "mark"):
            self.assertRegex(about, rf"(?m)^{kind}\s+[1-9]")
        self.damaged_logs(log, recorded)

    def test_a_boot_recorded_by_the_interpreter_replays_on_the_translator(self):
        log = os.path.join(self.folder(), "boot.log")
        guest = self.guest("--memory", "256M", "--engine", "interpret", "--record", log)
        guest.log_in()
        guest.command("find /etc | sort | sha256sum")
        self.assertEqual(guest.power_off(), 0)
        self.replays(POLLUX, "translate", log, json.loads(guest.output().splitlines()[-1]))

    def replays(self, program, engine, log, recorded):
        result = subprocess.run([program, "replay", log, "--engine", engine, "--json"], capture_output=True, text=True,
                                timeout=1200)
        self.assertEqual(result.returncode, 0, result.stderr)
        replayed = json.loads(result.stdout.splitlines()[-1])
        self.assertEqual(replayed["digest"], recorded["digest"])
        self.assertEqual(replayed["position"], recorded["position"])
        self.assertGreater(replayed["marks"], 10)

    def damaged_logs(self, log, recorded):
        """Cut and damaged copies replay up to the last good frame and say so."""
        with open(log, "rb") as file:
            content = file.read()
        cut = os.path.join(self.folder(), "cut.log")
        with open(cut, "wb") as file:
            file.write(content[:-(len(content) // 3000 + 7)])
        damaged = os.path.join(self.folder(), "damaged.log")
        with open(damaged, "wb") as file:
            middle = len(content) - 5000
            file.write(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1:])
        for path in (cut, damaged):
            result = subprocess.run([POLLUX, "log", path, "--json"], capture_output=True, text=True, timeout=600)
            self.assertRegex(result.stdout, "(?i)truncated|damaged|cut")

    def folder(self):
        if not hasattr(self, "folder_"):
            self.folder_ = tempfile.mkdtemp(prefix="pollux-linux-test-")
            self.addCleanup(subprocess.run, ["rm", "-rf", self.folder_])
        return self.folder_

    def test_a_virtual_clock_run_repeats_exactly(self):
        reports = []
        for _ in range(2):
            guest = self.guest("--memory", "256M", "--clock", "virtual", "--append", "init=/bin/false panic=-1")
            guest.wait(1200)
            report = json.loads(guest.output().splitlines()[-1])
            reports.append((report["position"], report["digest"], report["why"]))
        self.assertEqual(reports[0], reports[1])


if __name__ == "__main__":
    POLLUX, OTHER, IMAGE = (os.path.abspath(sys.argv.pop(1)) for _ in range(3))
    unittest.main(verbosity=2)
