"""Stock Debian: boots to a shell, keeps time, uses its disk, obeys its power button; a recording of it replays.

Usage: linux_test.py POLLUX IMAGE [TEST...]. The image is guests/demo.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import unittest

from guest import Guest
from recording import RecordingTest

POLLUX = IMAGE = ""


class Linux(RecordingTest):
    def guest(self, *arguments):
        guest = Guest(POLLUX, IMAGE, arguments)
        self.addCleanup(guest.close)
        return guest

    def in_time(self, check):
        """A host that stands still makes a guest late; it is caught up with in steps, so the check may be made again."""
        for _ in range(4):
            with contextlib.suppress(AssertionError):
                return check()
        return check()

    def dates_agree(self, guest):
        before = time.time()
        answer = float(guest.command("date +%s.%N"))
        after = time.time()
        self.assertGreater(answer, before - 0.05)
        self.assertLess(answer, after + 0.05)

    def sleeps_a_second(self, guest):
        begun = time.monotonic()
        guest.command("sleep 1")
        self.assertAlmostEqual(time.monotonic() - begun, 1.0, delta=0.6)

    def test_shell_clock_disk_and_power(self):
        guest = self.guest("--memory", "256M")
        guest.log_in()
        self.assertIn("x86_64", guest.command("uname -m"))
        for pause in (0, 3):  # running, and after idling
            time.sleep(pause)
            self.in_time(lambda: self.dates_agree(guest))
        self.in_time(lambda: self.sleeps_a_second(guest))
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

    def test_a_recorded_boot_replays_to_equal_digests(self):
        log = os.path.join(self.folder(), "boot.log")
        recorded = self.record_boot(POLLUX, IMAGE, log)
        for engine in "translate", "interpret", "check":
            self.replays(POLLUX, engine, log, recorded)
        self.holds_every_kind(POLLUX, log)
        self.damaged_logs(log, recorded)

    def test_a_boot_recorded_by_the_interpreter_replays_on_the_translator(self):
        log = os.path.join(self.folder(), "boot.log")
        guest = self.guest("--memory", "256M", "--engine", "interpret", "--record", log)
        guest.log_in()
        guest.command("find /etc | sort | sha256sum")
        self.assertEqual(guest.power_off(), 0)
        self.replays(POLLUX, "translate", log, json.loads(guest.output().splitlines()[-1]))

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

    def test_a_virtual_clock_run_repeats_exactly(self):
        reports = []
        for _ in range(2):
            guest = self.guest("--memory", "256M", "--clock", "virtual", "--append", "init=/bin/false panic=-1")
            guest.wait(1200)
            report = json.loads(guest.output().splitlines()[-1])
            reports.append((report["position"], report["digest"], report["why"]))
        self.assertEqual(reports[0], reports[1])


if __name__ == "__main__":
    POLLUX, IMAGE = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    unittest.main(verbosity=2)
