"""A guest under Pollux for the tests: started on a copy of an image, talked to over its console socket."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time


class GuestError(Exception):
    pass


class Guest:
    """One `pollux run`; PROMPT is what a shell says after each command."""

    PROMPT = b"pollux-prompt# "

    def __init__(self, pollux, image=None, arguments=(), folder=None, keep_image=False):
        self.folder = folder or tempfile.mkdtemp(prefix="pollux-guest-")
        self.owns_folder = folder is None
        self.seen = b""
        self.socket = None
        words = [pollux, "run", "--console", "unix:" + self.path("console"), "--json"]
        if image:
            self.disk = image if keep_image else self.path("disk.img")
            if not keep_image:
                subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, self.disk], check=True)
            words += ["--disk", self.disk]
        self.out = open(self.path("out"), "wb")
        self.process = subprocess.Popen([*words, *arguments], stdin=subprocess.DEVNULL, stdout=self.out,
                                        stderr=subprocess.STDOUT)

    def path(self, name):
        return os.path.join(self.folder, name)

    def output(self):
        with open(self.path("out"), errors="replace") as file:
            return file.read()

    def connect(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(self.path("console"))
                return
            except OSError:
                self.socket.close()
                if self.process.poll() is not None:
                    raise GuestError("pollux ended: " + self.output())
                if time.monotonic() > deadline:
                    raise GuestError("no console socket within 20 seconds")
                time.sleep(0.02)

    def expect(self, text, timeout_s):
        """Waits until text has come; returns what came up to and including it."""
        if self.socket is None:
            self.connect()
        deadline = time.monotonic() + timeout_s
        while text not in self.seen:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                piece = self.socket.recv(65536)
            except socket.timeout:
                piece = b""
            if not piece:
                raise GuestError(f"no {text!r} within {timeout_s} s; the console ended with: {self.seen[-2000:]!r}; "
                                 + self.output())
            self.seen += piece
        end = self.seen.index(text) + len(text)
        found, self.seen = self.seen[:end], self.seen[end:]
        return found

    def send(self, text):
        self.socket.sendall(text.encode())

    def log_in(self, timeout_s=600):
        """To a root shell with a prompt of our own; the password is the images' own."""
        before = self.expect(b"login:", timeout_s)
        self.send("root\n")
        self.expect(b"Password:", 120)
        self.send("root\n")
        self.expect(b"# ", 120)
        self.send("stty -echo; bind 'set enable-bracketed-paste off'; PS1='pollux-''prompt# '\n")
        self.expect(self.PROMPT, 60)
        return before

    def command(self, text, timeout_s=300):
        """Runs a command; returns its output. A command that fails is an error."""
        self.send(text + "\n")
        output = self.expect(self.PROMPT, timeout_s)[:-len(self.PROMPT)].decode(errors="replace").replace("\r", "")
        self.send("echo code=$?\n")
        code = self.expect(self.PROMPT, 60).decode(errors="replace")
        if "code=0" not in code:
            raise GuestError(f"'{text}' failed ({code.split()[0]}): {output}")
        return output.strip()

    def wait(self, timeout_s=300):
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired as late:
            raise GuestError(f"pollux did not end within {timeout_s} s; console: {self.seen[-1000:]!r}") from late

    def power_off(self, timeout_s=300):
        self.send("poweroff\n")
        return self.wait(timeout_s)

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self.socket:
            self.socket.close()
        self.out.close()
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
