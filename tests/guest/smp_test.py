"""Stock Debian with several processors: boots, uses them all, takes one away and back; a recording replays.

Usage: smp_test.py POLLUX IMAGE [TEST...]
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

from guest import Guest

POLLUX = IMAGE = ""
# What a kernel says when its processors do not agree, or one of them does not get on.
COMPLAINTS = "inconsistent|Marking TSC unstable|TSC ADJUST|soft lockup|rcu.*stall|BUG:|WARNING:|Call Trace|not responding"


class Smp(unittest.TestCase):
    def use_all(self, cpus, *arguments):
        """Boots, works on every processor, powers off; returns the run's report."""
        guest = Guest(POLLUX, IMAGE, ["--memory", "256M", "--cpus", str(cpus), *arguments])
        self.addCleanup(guest.close)
        guest.log_in()
        self.assertEqual(guest.command("nproc"), str(cpus))
        self.assertIn(f"Brought up 1 node, {cpus} CPUs", guest.command("dmesg | grep 'Brought up'"))
        self.assertEqual(guest.command("grep -c '^cpu cores.*: %d$' /proc/cpuinfo" % cpus), str(cpus))
        # Each processor on its own, and all at once.
        for cpu in range(cpus):
            self.assertEqual(guest.command(f"taskset -c {cpu} cut -d' ' -f39 /proc/self/stat"), str(cpu))
        sums = guest.command(f"(for i in $(seq {2 * cpus}); do sha256sum /usr/bin/perl > /tmp/$i & done; wait);"
                             " cat /tmp/[0-9]* | sort | uniq -c")
        self.assertRegex(sums.splitlines()[-1], rf"^ *{2 * cpus} ")
        # INIT and start-up once more, on a running system.
        guest.command(f"echo 0 > /sys/devices/system/cpu/cpu{cpus - 1}/online")
        self.assertEqual(guest.command("nproc"), str(cpus - 1))
        guest.command(f"echo 1 > /sys/devices/system/cpu/cpu{cpus - 1}/online")
        self.assertEqual(guest.command("nproc"), str(cpus))
        interrupts = guest.command("cat /proc/interrupts")
        for kind in ("LOC", "CAL"):
            counts = re.search(rf"{kind}: *((?:\d+ +)+)", interrupts).group(1).split()
            self.assertEqual(len(counts), cpus, interrupts)
            self.assertNotIn("0", counts, interrupts)
        self.assertEqual(guest.command(f"dmesg | grep -E '{COMPLAINTS}' || true"), "")
        self.assertEqual(guest.power_off(), 0)
        return json.loads(guest.output().splitlines()[-1])

    def test_two_processors(self):
        self.use_all(2)

    def test_a_recording_of_four_replays_to_equal_digests(self):
        with tempfile.TemporaryDirectory(prefix="pollux-smp-test-") as folder:
            log = os.path.join(folder, "four.log")
            recorded = self.use_all(4, "--record", log)
            result = subprocess.run([POLLUX, "replay", log, "--json"], capture_output=True, text=True, timeout=1200)
            self.assertEqual(result.returncode, 0, result.stderr)
            replayed = json.loads(result.stdout.splitlines()[-1])
            self.assertEqual(replayed["digest"], recorded["digest"])
            self.assertEqual(replayed["position"], recorded["position"])
            self.assertGreater(replayed["marks"], 10)


if __name__ == "__main__":
    POLLUX, IMAGE = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    unittest.main(verbosity=2)
