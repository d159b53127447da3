#!/usr/bin/env python3
"""The demonstration: a Debian guest loses its primary, then a guest loses its backup, while a client keeps counting.

Each round starts a switch, a backup and a primary; a client outside counts over one TCP connection to a server in the
guest that writes every value with fsync to its disk. At a random moment one half is killed with SIGKILL. Afterwards
the guest is shut down by its power button and its disk is read and compared with what the client was told.
"""

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

BOOT_TIMEOUT_S = 600
STEADY_BEFORE_S = (2.0, 6.0)  # the kill comes at a random moment in this range of steady counting
STEADY_AFTER_S = 4.0
LOST_ARBITRATION = 6  # exit code of the half that went away
MOST_FALSE_ALARMS = 10


class DemoError(Exception):
    """Something that ends the demonstration; its text is one sentence."""


class FalseAlarm(DemoError):
    """One half was silent for longer than the timeout though nobody killed it: the other half runs the machine now."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client(threading.Thread):
    """Counts over one TCP connection: sends a line, waits for the value, never reconnects once it has begun."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.connection = None
        self.values = []  # (time, value) of each answer
        self.error = None
        self.stopping = threading.Event()

    def connect(self, alive):
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while time.monotonic() < deadline:
            alive()
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=5)
                connection.sendall(b"?\n")
                line = connection.recv(64)
                if line.strip().isdigit():
                    self.values.append((time.monotonic(), int(line)))
                    connection.settimeout(60)
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.connection = connection
                    return
                connection.close()
            except OSError:
                pass
            time.sleep(0.2)
        raise DemoError(f"the guest's server did not answer within {BOOT_TIMEOUT_S} seconds")

    def run(self):
        try:
            stream = self.connection.makefile("rb")
            while not self.stopping.is_set():
                self.connection.sendall(b"next\n")
                line = stream.readline()
                if not line:
                    raise OSError("the connection was closed")
                self.values.append((time.monotonic(), int(line)))
        except (OSError, ValueError) as error:
            self.error = str(error)

    def summary(self):
        """What the client saw: the longest gap, values lost, values repeated."""
        times = [when for when, _ in self.values]
        gap_ms = max(((b - a) * 1000 for a, b in zip(times, times[1:])), default=0.0)
        lost = repeated = 0
        for (_, before), (_, after) in zip(self.values, self.values[1:]):
            if after <= before:
                repeated += 1
            elif after > before + 1:
                lost += after - before - 1
        return gap_ms, lost, repeated


class Round:
    """One pair, from power-on to power-off."""

    def __init__(self, pollux, image, cpus, folder, say):
        self.pollux = pollux
        self.cpus = cpus
        self.folder = folder
        self.say = say
        self.disk = os.path.join(folder, "disk.img")
        self.port = free_port()
        self.processes = {}
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", image, self.disk], check=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self, name, *words):
        with open(self.path(name + ".log"), "wb") as output:
            self.processes[name] = subprocess.Popen(
                [self.pollux, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    def wait_for_file(self, name):
        deadline = time.monotonic() + 20
        while not os.path.exists(self.path(name)):
            self.check_alive()
            if time.monotonic() > deadline:
                raise DemoError(f"{name} did not appear within 20 seconds")
            time.sleep(0.02)

    def wait_for_port(self, name, port):
        deadline = time.monotonic() + 20
        while f":{port:04X} " not in open("/proc/net/tcp").read():
            self.check_alive()
            if time.monotonic() > deadline:
                raise DemoError(f"the {name} did not listen within 20 seconds")
            time.sleep(0.02)

    def check_alive(self):
        for name, process in self.processes.items():
            if process.poll() == LOST_ARBITRATION:
                raise FalseAlarm(f"this host is too busy: the {name} was silent for longer than the timeout, and the other "
                                 "half took over")
            if process.returncode is not None:
                raise DemoError(f"the {name} ended early with code {process.returncode}: {self.last_words(name)}")

    def last_words(self, name):
        text = open(self.path(name + ".log"), errors="replace").read().strip()
        return text.splitlines()[-1] if text else "it said nothing"

    def power_on(self):
        pair_port = free_port()
        subprocess.run([self.pollux, "key", self.path("key")], check=True)
        os.mkdir(self.path("arbiter"))
        self.start("switch", "switch", self.path("switch.sock"), "--forward", f"tcp:{self.port}:7000")
        self.wait_for_file("switch.sock")
        common = ["--disk", self.disk, "--net", "switch=" + self.path("switch.sock"), "--arbiter",
                  self.path("arbiter"), "--key", self.path("key")]
        self.start("backup", "backup", "--listen", f"127.0.0.1:{pair_port}", *common,
                   "--console", "unix:" + self.path("backup.console"))
        self.wait_for_port("backup", pair_port)
        self.start("primary", "run", "--name", "demo", "--memory", "256M", "--cpus", str(self.cpus),
                   "--backup", f"127.0.0.1:{pair_port}", "--console", "unix:" + self.path("primary.console"), *common)

    def kill(self, victim):
        process = self.processes.pop(victim)
        process.kill()
        process.wait()
        return {"primary": "backup", "backup": "primary"}[victim]

    def power_off(self, survivor):
        process = self.processes.pop(survivor)
        process.send_signal(30)  # SIGPWR: the power button
        try:
            process.wait(timeout=300)
        except subprocess.TimeoutExpired as late:
            raise DemoError("the guest did not power off within 300 seconds of its power button") from late
        if process.returncode != 0:
            raise DemoError(f"the survivor left with code {process.returncode}: {self.last_words(survivor)}")

    def disk_values(self):
        """The values file on the guest's disk, read after it was unmounted."""
        check = subprocess.run(["e2fsck", "-fn", self.disk], capture_output=True, text=True)
        if check.returncode != 0:
            raise DemoError("the guest's file system is damaged: " + check.stdout.strip().splitlines()[-1])
        text = subprocess.run(["debugfs", "-R", "cat /var/lib/counter/values", self.disk],
                              capture_output=True, text=True, check=True).stdout
        return [int(line) for line in text.split()]

    def stop(self):
        for process in self.processes.values():
            process.kill()
            process.wait()


def play(pollux, image, cpus, victim, rng, say, keep):
    folder = tempfile.mkdtemp(prefix="pollux-demo-")
    this = Round(pollux, image, cpus, folder, say)
    try:
        say(f"starting the switch, the backup and the primary (forwarding 127.0.0.1:{this.port} to the guest)")
        this.power_on()
        client = Client(this.port)
        begun = time.monotonic()
        client.connect(this.check_alive)
        say(f"the guest's server answered after {time.monotonic() - begun:.1f} s; the client counts")
        client.start()
        time.sleep(rng.uniform(*STEADY_BEFORE_S))
        this.check_alive()
        before = client.values[-1][1]
        survivor = this.kill(victim)
        say(f"killed the {victim} with SIGKILL; the client had {before}")
        time.sleep(STEADY_AFTER_S)
        client.stopping.set()
        client.join(timeout=90)
        if client.is_alive() or client.error:
            raise DemoError(f"the client's connection did not survive: {client.error or 'no answer for 60 seconds'}; "
                            f"the {survivor} last said: {this.last_words(survivor)}")
        gap_ms, lost, repeated = client.summary()
        last = client.values[-1][1]
        say(f"the {survivor} carried on to {last}: longest gap {gap_ms:.0f} ms, lost {lost}, repeated {repeated}")
        if last <= before + 1:
            raise DemoError("the client got no further after the kill")
        this.power_off(survivor)
        on_disk = this.disk_values()
        agrees = on_disk == list(range(1, len(on_disk) + 1)) and len(on_disk) == last
        say(f"the guest powered off; its disk holds {len(on_disk)} values and "
            + ("agrees with the client" if agrees else "does NOT agree with the client"))
        return {"victim": victim, "gap_ms": round(gap_ms, 1), "lost": lost, "repeated": repeated,
                "disk_agrees": agrees, "values": last}
    finally:
        this.stop()
        if keep:
            say("kept: " + folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(prog="./demo", description=__doc__.splitlines()[0])
    parser.add_argument("--pollux", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--image", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--kills", type=int, default=2, help="how many halves to kill, the primary first, then in turn")
    parser.add_argument("--cpus", type=int, default=1, help="how many processors the guest has")
    parser.add_argument("--victim", choices=["primary", "backup"], help="kill only this half")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--keep", action="store_true", help="keep the folder with disks and outputs")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    out = sys.stderr if options.json else sys.stdout

    def say(text):
        print(text, file=out, flush=True)

    rounds = []
    false_alarms = 0
    try:
        while len(rounds) < options.kills:
            victim = options.victim or ("primary", "backup")[len(rounds) % 2]
            say(f"-- kill {len(rounds) + 1} of {options.kills}: the {victim} (seed {seed})")
            try:
                rounds.append(play(options.pollux, options.image, options.cpus, victim, rng, say, options.keep))
            except FalseAlarm as alarm:
                false_alarms += 1
                if false_alarms > MOST_FALSE_ALARMS:
                    raise
                say(f"{alarm}; starting this round again")
    except DemoError as error:
        print(f"pollux demo: {error}", file=sys.stderr)
        return 1
    total = {
        "gap_ms": max(r["gap_ms"] for r in rounds),
        "lost": sum(r["lost"] for r in rounds),
        "repeated": sum(r["repeated"] for r in rounds),
        "disk_agrees": all(r["disk_agrees"] for r in rounds),
        "kills": len(rounds),
        "false_alarms": false_alarms,
    }
    say(f"== {total['kills']} kills: longest gap {total['gap_ms']:.0f} ms, values lost {total['lost']}, values "
        f"repeated {total['repeated']}, disk {'agrees' if total['disk_agrees'] else 'does not agree'}")
    if options.json:
        print(json.dumps(total), flush=True)
    good = total["lost"] == 0 and total["repeated"] == 0 and total["disk_agrees"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
