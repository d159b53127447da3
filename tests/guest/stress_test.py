"""stress-ng checks its own results, and the kernel's tests for x86 pass, on Debian with two processors.

Every CPU and memory method of stress-ng runs, and every stressor of the classes below, one after the other under
--verify; then every program of the kernel's tools/testing/selftests/x86, in 64 and in 32 bits. What cannot run here is
listed with its reason. The lists are exact: an entry that passes is an error as much as a test that does not.

Usage: stress_test.py POLLUX IMAGE [TEST...]
"""

import os
import sys
import unittest

from guest import Guest, GuestError

POLLUX = IMAGE = ""

CLASSES = ("cpu", "cpu-cache", "memory", "vm", "interrupt", "scheduler", "os")

# What a kernel says when its processors or devices are not as they should be. (Not "Call Trace": it shows one also when it
# kills a stressor that has taken all memory.)
COMPLAINTS = "BUG:|WARNING:|Oops|blocked for more than|soft lockup|rcu.*stall|Marking TSC unstable|I/O error"

# Stressors that do not run as root, and those that stress-ng runs only when told that they may hang the machine.
# (As root, madvise poisons pages of memory, and the kernel now and then kills it when it comes upon one.)
AS_NOBODY = {"bad-ioctl", "exec", "madvise", "spawn"}
PATHOLOGICAL = {"bad-ioctl", "bind-mount", "cpu-online", "mlockmany", "oom-pipe", "smi", "sysinval", "watchdog"}

# Stressors that say themselves that they do not run, and why.
NOT_RUN = {
    "binderfs": "the kernel has no binder file system",
    "dccp": "the kernel has no DCCP",
    "efivar": "the machine has no EFI variables",
    "idle-page": "the kernel does not track idle pages",
    "kvm": "the processor has no virtualisation of its own",
    "ping-sock": "the kernel lets no group open such sockets",
    "plugin": "needs a plug-in to be named",
    "quota": "the disk has no quotas",
    "rdrand": "the processor has no random numbers, which would not be a function of the log",
    "rseq": "the C library has registered its own already",
    "secretmem": "the kernel offers it only when its command line asks for it",
    "verity": "the disk's file system has it switched off",
    "watchdog": "the machine has no watchdog",
}

# Programs of the kernel's tests that fail here. (mov_ss_trap passes for want of what it provokes: its watchpoints are in
# debug registers, and the processor's model matches nothing against them.)
FAILING = {
    "amx_64": "the processor has no AMX, and this test does not look whether it has",
}

# Parts of the kernel's tests that say themselves that they do not run: a word of what they say, and why.
SKIPPED = {
    "entry_from_vm86_32": ("vm86 not supported", "a 64-bit kernel has no virtual-8086 mode"),
    "syscall_arg_fault_32": ("Illegal instruction", "Intel's processors know SYSCALL in 64-bit code only"),
}


class Stress(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guest = Guest(POLLUX, IMAGE, ["--memory", "1G", "--cpus", "2", "--append", "cryptomgr.notests"])
        cls.addClassCleanup(cls.guest.close)
        cls.guest.log_in(timeout_s=1200)
        # A stressor that takes all memory is killed; systemd would then stop the service that the shell belongs to.
        drop_in = "/run/systemd/system/serial-getty@.service.d"
        cls.guest.command(f"mkdir -p {drop_in}; printf '[Service]\\nOOMPolicy=continue\\n' > {drop_in}/memory.conf")
        cls.guest.command("systemctl daemon-reload; dmesg -n 1; cd /tmp")

    def tearDown(self):
        self.assertEqual(self.guest.command(f"dmesg -c | grep -E '{COMPLAINTS}' || true"), "")

    def report(self, command, timeout_s=600):
        """Runs a command; returns whether it ended with code 0, and what it said."""
        try:
            self.guest.command(f"{command} > /root/said 2>&1", timeout_s)
            passed = True
        except GuestError as error:
            if "failed (code=" not in str(error):
                raise GuestError(f"{command}: {error}") from None
            passed = False
        return passed, self.guest.command("tail -n 60 /root/said")

    def stress(self, words, not_run=None, before=""):
        passed, said = self.report(f"timeout -k 10 300 {before} stress-ng {words} --verify")
        ran = passed and "skipped" not in said and "skipping" not in said and "No stress workers" not in said
        wrong = "stress-ng: fail" in said or "stress-ng: error" in said
        with self.subTest(words):
            if not_run:
                self.assertFalse(ran, f"runs now, though it is listed: {not_run}")
            else:
                self.assertTrue(ran and not wrong, said)

    def methods(self, stressor):
        _, said = self.report(f"stress-ng --{stressor} 1 --{stressor}-method none-such")
        names = said.split("must be one of: all ", 1)[1].split()
        self.assertGreater(len(names), 30)
        return names

    def test_cpu_methods(self):
        for method in self.methods("cpu"):
            self.stress(f"--cpu 1 --cpu-method {method} --cpu-ops 20 -t 4")

    def test_memory_methods(self):
        for method in self.methods("vm"):
            self.stress(f"--vm 1 --vm-bytes 64M --vm-method {method} -t 1")

    def test_stressors(self):
        names = set()
        for name in CLASSES:
            _, said = self.report(f"stress-ng --class '{name}?'")
            names.update(said.split("stressors: ", 1)[1].split())
        self.assertGreater(len(names), 200)
        self.assertLessEqual(NOT_RUN.keys(), names)
        for name in sorted(names):
            self.stress(("--pathological " if name in PATHOLOGICAL else "") + f"--{name} 1 -t 1", NOT_RUN.get(name),
                        "setpriv --reuid 65534 --regid 65534 --clear-groups" if name in AS_NOBODY else "")

    def test_two_of_each_at_once(self):
        self.stress("--cpu 2 --vm 2 --vm-bytes 128M -t 20")

    def test_kernels_tests_for_x86(self):
        programs = self.guest.command("ls /opt/selftests").split()
        self.assertGreater(len(programs), 40)
        self.assertLessEqual({*FAILING, *SKIPPED}, {*programs})
        for program in programs:
            with self.subTest(program):
                passed, said = self.report(f"timeout -k 10 300 /opt/selftests/{program}")
                self.assertEqual(passed and "[FAIL]" not in said, program not in FAILING, said)
                word = SKIPPED.get(program, ("",))[0]
                skips = [line for line in said.splitlines() if "[SKIP]" in line]
                self.assertTrue(all(word and word in line for line in skips), said)
                self.assertEqual(bool(skips), program in SKIPPED)


if __name__ == "__main__":
    POLLUX, IMAGE = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    unittest.main(verbosity=2)
