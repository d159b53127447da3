"""A crowd at the switch: clients that connect, send right, odd and broken frames, do not read, and hang up at any
moment, while others outside open the forwarded port and go away. Afterwards the switch must still serve, and end with
success and a sentence when it is asked to.

Usage: switch_stress.py [--connections N] [--seed S] POLLUX [WRAPPER...], e.g. with valgrind as the wrapper
"""

import argparse
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import frames

PATIENCE_S = 60
MOST_CABLES = 24
MOST_PEERS = 24


class Failure(Exception):
    pass


def mac(number):
    return bytes([0x52, 0x54, 0, 0, 0, number])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Crowd:
    def __init__(self, path, forwards, seed):
        self.path, self.forwards = path, forwards
        self.luck = random.Random(seed)
        self.cables, self.peers = [], []
        self.connections = 0
        # What guests reach through the router: nothing else of this host is touched.
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.listener.setblocking(False)
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", 0))
        self.datagrams.setblocking(False)

    def close(self):
        for one in self.cables + self.peers + [self.listener, self.datagrams]:
            one.close()

    # ---- frames

    def bytes(self, most):
        return self.luck.randbytes(self.luck.choice([0, 1, 7, 8, 60, self.luck.randrange(most + 1)]))

    def port(self):
        return self.luck.choice([self.listener.getsockname()[1], 9, 67, 69, 113])

    def packet(self):
        luck = self.luck
        kind = luck.randrange(9)
        to = luck.choice([frames.ROUTER_IP, frames.ROUTER_IP, "10.0.2.4", "10.0.2.255", "10.0.2.15"])
        if kind == 0:
            return frames.ping(self.bytes(2000), luck.choice([8, 8, 8, 0, 3, 13]), to)
        if kind == 1:
            return frames.udp(luck.choice([68, 4000]), luck.choice([67, 69, self.datagrams.getsockname()[1]]),
                              self.bytes(1400), to, length=luck.choice([None, None, 0, 7, 4000]))
        if kind == 2:  # fragments, in any order and overlapping
            offset = luck.choice([0, 0, 1, 8, 64, 8000, 8191])
            return frames.ip(luck.choice([1, 6, 17]), self.bytes(1480), to, fragment=offset | luck.choice([0, 0x2000]))
        if kind == 3:  # lengths that do not fit
            return frames.ip(luck.choice([1, 6, 17, 41]), self.bytes(100), to, length=luck.choice([0, 19, 20, 21, 400]),
                             header=luck.choice([4, 5, 6, 15]))
        if kind == 4:
            options = bytes([luck.choice([0, 1, 2, 7]), luck.randrange(8), *luck.randbytes(2)])
            return frames.ip(17, luck.randbytes(12), "10.0.2.4", header=6, options=options)
        if kind == 5:
            return luck.randbytes(luck.randrange(80))
        flags = luck.choice([frames.SYN, frames.SYN, frames.ACK, frames.RST, frames.FIN | frames.ACK, 63, 0,
                             frames.ACK | frames.PSH | frames.URG])
        return frames.tcp(luck.randrange(2000, 2050), self.port(), luck.choice([1, 1000, 2**32 - 1, luck.randrange(2**32)]),
                          luck.choice([0, 1001, luck.randrange(2**32)]), flags, self.bytes(1400), to,
                          window=luck.choice([0, 1, 512, 60000]), urgent=luck.choice([0, 1, 3000]),
                          options=luck.choice([b"", bytes([2, 4, 5, 0xB4]), bytes([2, 0, 0, 0]), bytes([2, 9, 1, 1])]))

    def frame(self):
        luck = self.luck
        source = luck.choice([mac(luck.randrange(1, 6)), mac(1), frames.ROUTER, frames.EVERYBODY, luck.randbytes(6)])
        kind = luck.randrange(10)
        if kind == 0:
            return luck.randbytes(luck.choice([0, 1, 13, 14, 15, 59, 1514, luck.randrange(65536)]))
        if kind == 1:
            return luck.randbytes(12) + bytes(luck.choice([65537, 65538, 65541, 65542, 65543, 70000]))  # about the most
        if kind == 2:
            return frames.arp(source, luck.choice(["10.0.2.2", "10.0.2.3", "10.0.2.15", "10.0.2.99"]),
                              operation=luck.choice([1, 1, 2, 9]))[:luck.choice([42, 42, 42, 20, 30])]
        if kind == 3:
            return frames.dhcp_discover(source)
        to = luck.choice([frames.ROUTER, frames.ROUTER, frames.ROUTER, frames.EVERYBODY, mac(luck.randrange(1, 6))])
        return frames.ethernet(to, source, luck.choice([0x0800] * 8 + [0x86DD, 0x88F8, 0x0806, 0]), self.packet())

    # A guest that talks TCP: nearly always what belongs next.
    def answer(self, cable, frame):
        if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
            return
        luck = self.luck
        port, to_port, sequence, acknowledged, words, flags = struct.unpack(">HHIIBB", frame[34:48])
        data = len(frame) - 14 - 20 - (words >> 4) * 4
        sequence += data + (1 if flags & (frames.SYN | frames.FIN) else 0)
        reply = frames.ACK
        if flags & frames.SYN and not flags & frames.ACK:
            reply |= frames.SYN
            acknowledged = 1000
        reply |= luck.choice([0, 0, frames.PSH, frames.FIN, frames.RST])
        if luck.random() < 0.1:
            acknowledged, sequence = acknowledged + luck.randrange(3000), sequence - luck.randrange(2)
        text = b"" if reply & (frames.SYN | frames.RST) else b"x" * luck.choice([0, 1, 500, 1460])
        self.send(cable, frames.ethernet(frames.ROUTER, mac(1), 0x0800, frames.tcp(
            to_port, port, acknowledged, sequence, reply, text, socket.inet_ntoa(frame[26:30]))))

    # ---- doings

    def send(self, cable, frame):
        try:
            cable.send(frame)
        except OSError:  # full, or hung up by the switch
            pass

    def plug_in(self):
        cable = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        cable.setblocking(False)
        try:
            cable.connect(self.path)
        except BlockingIOError:  # the switch is behind with accepting
            cable.close()
            time.sleep(0.001)
            return
        except OSError as error:
            raise Failure(f"the switch does not take a client any more: {error}") from error
        self.connections += 1
        self.cables.append(cable)
        if self.luck.random() < 0.8:
            self.send(cable, frames.arp(mac(1), frames.GUEST_IP, operation=1))

    def pull(self):
        self.cables.pop(self.luck.randrange(len(self.cables))).close()

    def read(self):
        cable = self.luck.choice(self.cables)
        for _ in range(self.luck.choice([1, 10, 200])):
            try:
                frame = cable.recv(70000)
            except OSError:
                return
            self.answer(cable, frame)

    def knock(self):
        """Somebody outside opens a forwarded port."""
        peer = socket.socket()
        peer.setblocking(False)
        peer.connect_ex(("127.0.0.1", self.luck.choice(self.forwards)))
        self.peers.append(peer)

    def bother(self):
        peer = self.luck.choice(self.peers)
        try:
            self.luck.choice([lambda: peer.send(b"y" * self.luck.choice([1, 1000, 100000])), lambda: peer.recv(100),
                              lambda: peer.send(b"!", socket.MSG_OOB), lambda: peer.shutdown(socket.SHUT_WR)])()
        except OSError:
            pass

    def leave(self):
        peer = self.peers.pop(self.luck.randrange(len(self.peers)))
        if self.luck.random() < 0.5:  # with a reset
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    def take_in(self):
        """What guests opened, from the other end."""
        try:
            peer = self.listener.accept()[0]
            peer.setblocking(False)
            self.peers.append(peer)
        except OSError:
            pass
        try:
            data, source = self.datagrams.recvfrom(70000)
            self.datagrams.sendto(data, source)
        except OSError:
            pass

    def step(self):
        luck = self.luck
        doing = luck.random()
        if not self.cables or (doing < 0.08 and len(self.cables) < MOST_CABLES):
            return self.plug_in()
        if doing < 0.15:
            return self.pull()
        if doing < 0.20 and len(self.peers) < MOST_PEERS:
            return self.knock()
        if doing < 0.26 and self.peers:
            return self.bother()
        if doing < 0.30 and self.peers:
            return self.leave()
        if doing < 0.33:
            return self.take_in()
        if doing < 0.55:
            return self.read()
        cable = luck.choice(self.cables)
        for _ in range(luck.choice([1, 1, 4, 100])):
            self.send(cable, self.frame())


def last_words(process):
    process.stderr.seek(0)
    return process.stderr.read().decode(errors="replace").strip()


def check_alive(process):
    code = process.poll()
    if code is not None:
        raise Failure(f"the switch ended with code {code}; it said: {last_words(process) or 'nothing'}")


def check_serves(process, path):
    """A guest that has asked before the crowd came (the router has 15 addresses) gets its address again."""
    deadline = time.monotonic() + PATIENCE_S
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as cable:
        cable.connect(path)
        cable.settimeout(0.5)
        while time.monotonic() < deadline:
            check_alive(process)
            cable.send(frames.dhcp_discover(mac(77)))
            try:
                while not frames.is_dhcp_offer(cable.recv(70000)):
                    pass
                return
            except TimeoutError:
                pass
            except ConnectionResetError as error:
                raise Failure("the switch hung up on a newcomer") from error
    raise Failure("the switch does not serve any more")


def run(options, folder):
    path = os.path.join(folder, "switch")
    forwards = [free_port(), free_port()]
    with open(os.path.join(folder, "log"), "w+b") as log:
        process = subprocess.Popen(
            [*options.wrapper, options.pollux, "switch", path, *(["--no-sandbox"] if options.wrapper else []), "--forward", f"tcp:{forwards[0]}:7",
             "--forward", f"tcp:127.0.0.1:{forwards[1]}:10.0.2.99:7"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        process.stderr = log
        crowd = Crowd(path, forwards, options.seed)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while not os.path.exists(path):
                check_alive(process)
                if time.monotonic() > deadline:
                    raise Failure("the switch did not start")
                time.sleep(0.01)
            check_serves(process, path)
            steps = 0
            while crowd.connections < options.connections:
                try:
                    crowd.step()
                finally:
                    check_alive(process)
                steps += 1
            crowd.close()
            check_serves(process, path)
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=PATIENCE_S)
            words = last_words(process)
            if code != 0 or "asked to stop" not in words:
                raise Failure(f"asked to stop, the switch ended with code {code}; it said: {words or 'nothing'}")
            return steps, crowd.connections, words.splitlines()[-1]
        finally:
            crowd.close()
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("pollux")
    parser.add_argument("wrapper", nargs="*")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="pollux-switch-") as folder:
            steps, connections, words = run(options, folder)
    except Failure as failure:
        sys.exit(f"switch_stress.py --connections {options.connections} --seed {options.seed}: {failure}")
    print(f"{steps} doings of {connections} clients, and the switch serves; {words}")


if __name__ == "__main__":
    main()
