"""This host as something that rows run on: the agent between two pipes, pinned to one processor like a guest.

The image's own programs run in a copy of the image's files, entered with chroot: as root, or in a user namespace. Where
neither works, the rows that need it have no native figure, and the reason is in the notes.
"""

import os
import shutil
import subprocess
import tempfile

from .console import Console

# The processor of the guests has none of these; where a program can be told so natively, it is.
TUNABLES = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-EVEX,-ERMS,-FSRM,-BMI1,-BMI2,-FMA,-RTM,-MOVBE"
# Leaf 1: without AVX, OSXSAVE, RDRAND, FMA and XOP. Leaf 7, with AVX2, BMI, ADX and the SHA instructions: nothing.
OPENSSL = "~0x5800180000000000:0x0"

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C", "TERM": "dumb",
               "GLIBC_TUNABLES": TUNABLES, "OPENSSL_ia32cap": OPENSSL}

ENTER = """set -e
mount --make-rprivate / 2>/dev/null || true
mount --rbind /dev "$1/dev"
mount --rbind /proc "$1/proc"
mount -t tmpfs tmpfs "$1/tmp"
mkdir -p "$1/opt/bench"
cp -r "$2/." "$1/opt/bench/"
mkdir "$1/tmp/work"
exec chroot "$1" /bin/sh -c 'cd /tmp/work && exec /opt/bench/agent -'
"""


class Native:
    name = "native"

    def __init__(self, workloads, tree):
        self.workloads, self.tree = workloads, tree
        self.process = self.console = self.folder = None

    def _enter_words(self):
        namespaces = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--user", "--map-root-user"]
        return [*namespaces, "sh", "-c", ENTER, "enter", self.tree, self.workloads]

    def _pin(self):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    def runs_image_programs(self):
        """Whether the image's files can be entered; forgets them where not."""
        if self.tree:
            probe = subprocess.run(self._enter_words(), input=b"true\n", capture_output=True, env=ENVIRONMENT)
            if b"@end 0" in probe.stdout:
                return True
            self.tree = None
        return False

    def start(self, limit_s):
        self.close()
        if self.tree:
            words, folder = self._enter_words(), None
        else:
            words = [os.path.join(self.workloads, "agent"), "-"]
            folder = self.folder = tempfile.mkdtemp(prefix="bench-native-")
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        env=ENVIRONMENT, cwd=folder, preexec_fn=self._pin)
        self.console = Console(self.process.stdout.fileno(), self.process.stdin.fileno(),
                               shares_clock=True)
        self.console.wait_ready(limit_s)

    def output(self):
        return ""

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdin.close()
            self.process.stdout.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.process = self.console = self.folder = None
