"""What a row runs on: this host, a machine under Pollux, the same machine under QEMU's translator (TCG)."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .console import Console, Silent
from .prepare import BUILD, Missing

MEMORY_MIB = 1024
QUIET = "quiet loglevel=1 mitigations=off"

# Pollux's processor model, as far as TCG has it.
QEMU_CPU = ("Nehalem,+aes,+pclmulqdq,+movbe,+xsave,+rdtscp,+pdpe1gb,+fsgsbase,+smep,+smap,+umip,+invtsc,"
            "-erms,-rdrand,-rdseed")


class Machine:
    """A guest under some program, started on its own copy of the image."""

    name = "machine"

    def __init__(self, setup):
        self.setup = setup  # image, kernel, initrd, workloads_disk
        self.process = self.console = self.socket = self.folder = None
        self.started = 0.0

    def words(self, append):
        """The command; its folder is the machine's, with disk.img, workloads.img and, once it listens, console."""
        raise NotImplementedError

    def boot(self, append):
        """Starts the machine; `started` is the host's time just before."""
        self.close()
        os.makedirs(BUILD, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix=self.name.replace("+", "-") + "-", dir=BUILD)
        for disk, name in ((self.setup.image, "disk.img"), (self.setup.workloads_disk, "workloads.img")):
            subprocess.run(["cp", "--sparse=always", "--reflink=auto", disk, os.path.join(self.folder, name)], check=True)
        self.out = open(os.path.join(self.folder, "out"), "w+b")
        self.started = time.monotonic()
        self.process = subprocess.Popen(self.words(append), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=self.out,
                                        stderr=subprocess.STDOUT)
        self._connect()

    def _connect(self):
        home = os.open(".", os.O_RDONLY)
        try:
            while True:
                self.socket = socket.socket(socket.AF_UNIX)
                try:
                    os.chdir(self.folder)
                    self.socket.connect("console")  # from its folder, since such a path is short
                    break
                except OSError:
                    self.socket.close()
                    if self.process.poll() is not None:
                        raise Silent(f"{self.name} ended at once: {self.output()[-800:]}") from None
                    if time.monotonic() > self.started + 60:
                        raise Silent(f"{self.name} opened no console within a minute") from None
                    time.sleep(0.005)
                finally:
                    os.fchdir(home)
        finally:
            os.close(home)
        self.console = Console(self.socket.fileno(), self.socket.fileno())

    def start(self, limit_s):
        """To the agent's "@ready"."""
        self.boot("init=/sbin/bench-init")
        self.console.wait_ready(limit_s)

    def output(self):
        self.out.seek(0)
        return self.out.read().decode(errors="replace")

    def power_off(self, limit_s=60):
        """An orderly end by the guest itself; returns what the program printed."""
        self.console.quit()
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise Silent(f"{self.name} did not power off within {limit_s} s") from None
        return self.output()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.socket:
            self.socket.close()
            self.out.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        self.process = self.console = self.socket = self.folder = None


class Pollux(Machine):
    name = "pollux"

    def __init__(self, setup, program, engine=None, arguments=(), wrap=()):
        super().__init__(setup)
        self.program, self.arguments, self.wrap = program, list(arguments), list(wrap)
        if engine:
            self.arguments += ["--engine", engine]

    def words(self, append):
        return [*self.wrap, self.program, "run", "--disk", "disk.img", "--disk", "workloads.img,ro",
                "--kernel", self.setup.kernel, "--initrd", self.setup.initrd, "--memory", f"{MEMORY_MIB}M",
                "--console", "unix:console", "--json", "--append", f"{QUIET} {append}".strip(), *self.arguments]


class Qemu(Machine):
    name = "qemu"
    program = "qemu-system-x86_64"

    @classmethod
    def available(cls):
        return shutil.which(cls.program) is not None

    def words(self, append):
        return [self.program, "-accel", "tcg", "-machine", "pc", "-cpu", QEMU_CPU, "-smp", "1", "-m", str(MEMORY_MIB),
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-chardev", "socket,id=console,path=console,server=on,wait=on", "-serial", "chardev:console",
                "-drive", "file=disk.img,format=raw,if=virtio",
                "-drive", "file=workloads.img,format=raw,if=virtio,readonly=on",
                "-device", "virtio-rng-pci", "-kernel", self.setup.kernel, "-initrd", self.setup.initrd,
                "-append", f"console=ttyS0 root=/dev/vda {QUIET} {append}".strip()]
