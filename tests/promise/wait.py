"""`./dev bench wait`: how long packets wait on the host until a guest that computes gets them."""

import argparse
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
POLLUX = os.path.join(ROOT, "build/release/pollux")
sys.path += [os.path.join(ROOT, "tests/guest"), os.path.join(ROOT, "tests/system")]

import frames
from guest import Guest

# What the guest is busy with: a loop; system calls and copies; programs that start and end; writes all over its memory.
BUSY = {"shell loop": "while :; do :; done",
        "copies": "while :; do dd if=/dev/zero of=/dev/null bs=1M count=1000 2>/dev/null; done",
        "programs": "while :; do find /usr | sort | sha256sum; done >/dev/null",
        "writes": "mount -t tmpfs none /mnt; "
                  "while :; do dd if=/dev/zero of=/mnt/it bs=1M count=100 conv=notrunc; done 2>/dev/null"}


class Neighbour(threading.Thread):
    """All that is at the other end of the guest's card: answers ARP, sends pings, counts answers."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.path = os.path.join(folder, "switch")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        self.listener.listen()
        self.card, self.guest, self.answers = None, frames.EVERYBODY, 0

    def accept(self):
        self.card, _ = self.listener.accept()
        self.start()

    def run(self):
        while frame := self.card.recv(1 << 17):
            self.guest = frame[6:12]
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1":
                self.card.send(frames.ethernet(self.guest, frames.ROUTER, 0x0806, frame[14:20] + b"\0\2" + frames.ROUTER
                                               + frame[38:42] + frame[22:32]))
            self.answers += frame[12:14] == b"\x08\0" and frame[23] == 1 and frame[34] == 0

    def ping(self):
        body = struct.pack(">BBHHH", 8, 0, 0, 1, 1) + bytes(32)
        body = body[:2] + struct.pack(">H", frames.checksum(body)) + body[4:]
        packet = frames.ip(1, body, frames.GUEST_IP, frames.ROUTER_IP)
        self.card.send(frames.ethernet(self.guest, frames.ROUTER, 0x0800, packet))


def wait(image, busy, pings, arguments):
    """The counters net.wait_* of a guest that is busy and gets that many pings at random moments."""
    with tempfile.TemporaryDirectory(prefix="pollux-bench-") as folder:
        neighbour = Neighbour(folder)
        with Guest(POLLUX, image, ["--memory", "256M", "--net", "switch=" + neighbour.path, *arguments], folder) as guest:
            neighbour.accept()
            guest.log_in()
            guest.send(f"({busy}) >/dev/null 2>&1 &\n")
            guest.expect(guest.PROMPT, 60)
            time.sleep(2)
            moments = random.Random(1)
            for _ in range(pings):
                neighbour.ping()
                time.sleep(moments.uniform(0.0005, 0.004))
            time.sleep(0.5)
            guest.process.send_signal(signal.SIGTERM)
            guest.wait()
            net = json.loads(guest.output().splitlines()[-1])["net"]
    return {"p50_us": net["wait_p50_ns"] / 1000, "p99_us": net["wait_p99_ns"] / 1000, "max_us": net["wait_max_ns"] / 1000,
            "answered": f"{neighbour.answers} of {pings}"}


def main(words):
    parser = argparse.ArgumentParser(prog="./dev bench wait", description=__doc__)
    parser.add_argument("--pings", type=int, default=2000, help="packets for each kind of busy guest")
    parser.add_argument("--engine", help="of the guest, as pollux run --engine")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    image = subprocess.run([os.path.join(ROOT, "guests/build"), "demo"], capture_output=True, text=True,
                           check=True).stdout.strip()
    arguments = ["--engine", options.engine] if options.engine else []
    results = {name: wait(image, busy, options.pings, arguments) for name, busy in BUSY.items()}
    if options.json:
        print(json.dumps({"wait": results}))
        return 0
    for name, result in results.items():
        print(f"wait     {name:12}" + "".join(f"  {key} {value}" for key, value in result.items()))
    return 0
