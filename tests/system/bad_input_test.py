"""Bad input: each case must end with one sentence that names what is wrong, the right exit code, and no damage.

Usage: bad_input_test.py POLLUX [TEST...]
"""

import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import frames

POLLUX = ""
USAGE, ENVIRONMENT, FORMAT = 2, 1, 3


class BadInput(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="pollux-bad-input-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make_file(self, name, content=b"", size=None):
        with open(self.path(name), "wb") as file:
            file.write(content)
            if size is not None:
                file.truncate(size)
        return self.path(name)

    def sleeper(self):
        """A kernel that halts for ever: a machine that runs and needs nothing."""
        return self.make_kernel("sleeper", b"\xf4\xeb\xfd")

    def spinner(self):
        """A kernel that runs for ever: its log grows."""
        return self.make_kernel("spinner", b"\xeb\xfe")

    def make_kernel(self, name, code):
        """An ELF kernel with this code at its entry."""
        entry, head = 0x100000, 64 + 56
        elf = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        load = struct.pack("<IIQQQQQQ", 1, 5, head, entry, entry, len(code), len(code), 0)
        return self.make_file(name, elf + load + code)

    def start(self, *words, **how):
        """Starts pollux; the test's end kills it."""
        process = subprocess.Popen([POLLUX, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, **how)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_for(self, name):
        deadline = time.monotonic() + 20
        while not os.path.exists(self.path(name)):
            self.assertLess(time.monotonic(), deadline, name + " did not appear")
            time.sleep(0.01)

    def wait_until_confined(self, process):
        deadline = time.monotonic() + 20
        while True:
            with open(f"/proc/{process.pid}/status") as status:
                if "Seccomp:\t2" in status.read():
                    return
            self.assertLess(time.monotonic(), deadline, "it is not confined")
            time.sleep(0.01)

    def wait_for_signal_handler(self, process, number):
        deadline = time.monotonic() + 20
        while True:
            with open(f"/proc/{process.pid}/status") as status:
                caught = next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt"))
            if caught >> (number - 1) & 1:
                return
            self.assertLess(time.monotonic(), deadline, f"signal {number} is not caught")
            time.sleep(0.01)

    def says(self, words, code, sentence, under=(), **how):
        """Runs pollux, under another program where one is given; its exit code and its last line must be as given."""
        result = subprocess.run([*under, POLLUX, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                timeout=60, **how)
        last = (result.stderr.strip().splitlines() or [""])[-1]
        self.assertRegex(last, "^pollux: ")
        self.assertRegex(last, sentence)
        self.assertEqual(result.returncode, code, last)

    def test_no_such_kernel(self):
        self.says(["run", "--kernel", self.path("absent")], ENVIRONMENT, "kernel .*absent.*(no such file|does not exist)")

    def test_not_a_kernel(self):
        kernel = self.make_file("text", b"this is no kernel\n" * 1000)
        self.says(["run", "--kernel", kernel], FORMAT, "kernel .*/text cannot be booted: not a kernel")

    def test_truncated_kernel(self):
        kernel = self.make_file("short", b"\x7fELF\x02\x01\x01" + bytes(20))
        self.says(["run", "--kernel", kernel], FORMAT, "(?i)kernel|ELF")

    def test_nothing_to_boot(self):
        self.says(["run"], USAGE, "--kernel|--disk")

    def test_image_without_a_kernel(self):
        image = self.make_file("empty.img", size=16 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", image], check=True)
        self.says(["run", "--disk", image], FORMAT, "no kernel|kernel")

    def test_image_of_an_unknown_file_system(self):
        image = self.make_file("noise.img", os.urandom(4096), size=1 << 20)
        self.says(["run", "--disk", image], FORMAT, "file system|partition|kernel")

    def test_disk_missing(self):
        self.says(["run", "--disk", self.path("absent.img")], ENVIRONMENT, "absent.img.*(no such file|does not exist)")

    def test_disk_short(self):
        image = self.make_file("odd.img", size=1000)
        self.says(["run", "--disk", image], ENVIRONMENT, "512")

    def test_disk_shorter_than_its_file_system(self):
        image = self.make_file("cut.img", size=16 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", image], check=True)
        os.truncate(image, 12 << 20)
        self.says(["run", "--disk", image], FORMAT, "cut.img is cut short: .*16 MiB.*12 MiB")

    def test_disk_read_only_without_saying_so(self):
        image = self.make_file("locked.img", size=1 << 20)
        os.chmod(image, 0o444)
        # Root may write every file, unless it gives that up.
        under = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
        self.says(["run", "--disk", image], ENVIRONMENT, "locked.img is read-only: add ,ro", under)

    def test_machine_file_missing(self):
        self.says(["run", self.path("absent.toml")], USAGE, "absent.toml")

    def test_machine_file_that_is_a_folder(self):
        self.says(["run", self.folder], USAGE, "machine file .* is a folder")

    def test_machine_file_with_an_error(self):
        machine = self.make_file("bad.toml", b"name = 'x'\nmemory = = '1G'\n")
        self.says(["run", machine], USAGE, r"bad\.toml:2:\d+")

    def test_machine_file_with_an_unknown_key(self):
        machine = self.make_file("bad.toml", b"memroy = '1G'\n")
        self.says(["run", machine], USAGE, r"bad\.toml:1:\d+.*memroy")

    def test_too_much_memory(self):
        kernel = self.make_file("kernel", b"\x7fELF")
        self.says(["run", "--kernel", kernel, "--memory", "100000G"], USAGE, "memory")

    def test_a_number_of_processors_that_cannot_be(self):
        kernel = self.make_file("kernel", b"\x7fELF")
        for count in ("0", "9", "many"):
            self.says(["run", "--kernel", kernel, "--cpus", count], USAGE, "from 1 to 8")
        machine = self.make_file("nine.toml", b"cpus = 9\n")
        self.says(["run", machine, "--kernel", kernel], USAGE, "from 1 to 8")

    def test_more_memory_than_the_host_has(self):
        gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30
        with open("/proc/swaps") as swaps:
            gibibytes += sum(int(line.split()[2]) for line in swaps.readlines()[1:]) >> 20
        self.says(["run", "--kernel", self.sleeper(), "--memory", f"{gibibytes + 2}G"], ENVIRONMENT,
                  "memory of .* is more than the .* that this host has left: ask for less with --memory")

    def test_more_memory_than_the_process_may_have(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        self.says(["run", "--kernel", self.sleeper(), "--memory", "1G"], ENVIRONMENT, "gives no 1024 MiB.*--memory",
                  preexec_fn=limit)

    def test_a_host_whose_memory_ends_while_the_guest_runs(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(listener.close)
        listener.bind(self.path("switch"))
        listener.listen()

        def enough_for_its_set_up():  # but not for the room that it would keep for later
            resource.setrlimit(resource.RLIMIT_DATA, (48 << 20, resource.getrlimit(resource.RLIMIT_DATA)[1]))

        machine = self.start("run", "--kernel", self.sleeper(), "--memory", "16M", "--console", "none", "--net",
                             "switch=" + self.path("switch"), preexec_fn=enough_for_its_set_up)
        card, _ = listener.accept()
        self.addCleanup(card.close)
        self.wait_until_confined(machine)  # its set-up is over
        resource.prlimit(machine.pid, resource.RLIMIT_DATA, (4096, 4096))
        try:
            while machine.poll() is None:
                card.send(bytes(60000))
        except OSError:
            pass
        self.assertEqual(machine.wait(timeout=20), ENVIRONMENT)
        self.assertRegex(machine.stderr.read().decode(), "^pollux: the host gives no more memory: .*--memory\n$")

    def test_a_size_that_is_none(self):
        self.says(["run", "--memory", "lots"], USAGE, "512M")

    def test_unknown_option(self):
        self.says(["run", "--mermory", "1G"], USAGE, "--mermory|mermory")

    def test_port_in_use(self):
        key = self.path("key")
        subprocess.run([POLLUX, "key", key], check=True)
        os.mkdir(self.path("arbiter"))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.says(["backup", "--listen", f"127.0.0.1:{port}", "--arbiter", self.path("arbiter"), "--key", key],
                      ENVIRONMENT, f"in use.*{port}")

    def test_heartbeat_port_in_use(self):
        key = self.path("key")
        subprocess.run([POLLUX, "key", key], check=True)
        os.mkdir(self.path("arbiter"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            self.says(["backup", "--listen", f"127.0.0.1:{port}", "--arbiter", self.path("arbiter"), "--key", key],
                      ENVIRONMENT, f"UDP port {port}.*in use")

    def test_switch_forward_port_in_use(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.says(["switch", self.path("s"), "--forward", f"tcp:{port}:80"], ENVIRONMENT, f"{port}")

    def test_no_switch(self):
        self.says(["run", "--kernel", self.sleeper(), "--net", "switch=" + self.path("absent")], ENVIRONMENT, "switch")

    def test_switch_says_why_it_ends(self):
        for number, code, sentence in [(signal.SIGTERM, 0, r"asked to stop \(SIGTERM from process \d+\): 0 clients"),
                                       (signal.SIGHUP, 0, r"asked to stop \(SIGHUP from process \d+\)"),
                                       (signal.SIGSEGV, -signal.SIGSEGV, "broke down .*SIGSEGV.*report"),
                                       (signal.SIGBUS, -signal.SIGBUS, "broke down .*SIGBUS.*report")]:
            name = "switch" + str(number)
            switch = self.start("switch", self.path(name))
            self.wait_for(name)
            # The name appears a moment before the handlers are there.
            self.wait_for_signal_handler(switch, number)
            switch.send_signal(number)
            self.assertEqual(switch.wait(timeout=20), code)
            self.assertRegex(switch.stderr.read().decode(), "^pollux: .*" + sentence)

    def test_switch_without_descriptors_takes_clients_again_when_it_has_some(self):
        switch = self.start("switch", self.path("switch"), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (24, 24)))
        self.wait_for("switch")
        clients = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(30)]
        for client in clients:
            client.connect(self.path("switch"))
        for client in clients:
            client.close()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(20)
            client.connect(self.path("switch"))
            client.send(frames.dhcp_discover(bytes(5) + b"\1"))
            self.assertTrue(frames.is_dhcp_offer(client.recv(70000)))
        switch.terminate()
        self.assertEqual(switch.wait(timeout=20), 0)
        self.assertRegex(switch.stderr.read().decode(), "31 clients.* times without a descriptor")

    def test_disk_in_use(self):
        disk = self.make_file("shared.img", size=1 << 20)
        self.start("run", "--kernel", self.sleeper(), "--disk", disk, "--console", "unix:" + self.path("console"))
        self.wait_for("console")
        self.says(["run", "--kernel", self.sleeper(), "--disk", disk], ENVIRONMENT, "in use")

    def test_full_disk_under_the_log(self):
        self.says(["run", "--kernel", self.sleeper(), "--record", "/dev/full"], ENVIRONMENT, "/dev/full")

    def test_disk_under_the_log_runs_full_meanwhile(self):
        """The log is on a file system of 32 KiB that only these processes see; what it took is replayed."""
        alone = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
        if subprocess.run([*alone, 'mount -t tmpfs none "$0"', self.folder], capture_output=True).returncode != 0:
            self.skipTest("no file system can be mounted here, even in a namespace")
        os.mkdir(self.path("small"))
        result = subprocess.run(
            [*alone, 'mount -t tmpfs -o size=32k none small; "$0" run --kernel "$1" --memory 16M --console none '
             '--mark-ms 1 --record small/log; echo $?; "$0" replay small/log', POLLUX, self.spinner()],
            cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.stdout, f"{ENVIRONMENT}\n")
        run, replay = result.stderr.splitlines()
        self.assertRegex(run, r"^pollux: the log small/log cannot be written \(no space left on device\): make room")
        self.assertRegex(replay, "^pollux: end of log: the log is truncated.* good up to byte")
        self.assertEqual(result.returncode, 0)

    def test_switch_gone_while_running(self):
        switch = self.start("switch", self.path("switch"))
        self.wait_for("switch")
        machine = self.start("run", "--kernel", self.sleeper(), "--net", "switch=" + self.path("switch"), "--console",
                             "unix:" + self.path("console"))
        self.wait_for("console")
        switch.kill()
        switch.wait()
        self.assertRegex(machine.stderr.readline().decode(), "switch.*(gone|away|lost)")
        self.assertIsNone(machine.poll())
        machine.terminate()
        self.assertEqual(machine.wait(timeout=20), 0)

    def waiting_backup(self, *words):
        """Starts a backup; returns its process and its port when it listens."""
        os.mkdir(self.path("arbiter"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        backup = self.start("backup", "--listen", f"127.0.0.1:{port}", "--arbiter", self.path("arbiter"), "--console",
                            "none", *words)
        deadline = time.monotonic() + 20
        while True:
            with open("/proc/net/tcp") as table:
                if f":{port:04X} " in table.read():
                    break
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        return backup, port

    def primary(self, port, *words):
        """The words of a primary for that backup, for says()."""
        return ["run", "--kernel", self.sleeper(), "--backup", f"127.0.0.1:{port}", "--arbiter", self.path("arbiter"),
                "--console", "none", *words]

    def pair(self, backup_key, backup_disk, primary_key, primary_disk):
        _, port = self.waiting_backup("--key", backup_key, "--disk", backup_disk)
        return self.primary(port, "--key", primary_key, "--disk", primary_disk)

    def new_key(self, name):
        subprocess.run([POLLUX, "key", self.path(name)], check=True)
        return self.path(name)

    def test_wrong_key(self):
        disk = self.make_file("disk.img", size=1 << 20)
        self.says(self.pair(self.new_key("one"), disk, self.new_key("other"), disk), ENVIRONMENT, "key")

    def certificate(self, folder, host):
        """The options of a side with a certificate of the authority in the folder."""
        subprocess.run([POLLUX, "certificate", self.path(folder), host], check=True)
        return ["--cert", self.path(f"{folder}/{host}.pem"), "--cert-key", self.path(f"{folder}/{host}.key"), "--ca",
                self.path(f"{folder}/ca.pem")]

    def test_certificates_of_one_authority(self):
        backup, port = self.waiting_backup(*self.certificate("ca", "hostB"))
        primary = self.start(*self.primary(port, *self.certificate("ca", "hostA")))
        self.assertRegex(primary.stderr.readline().decode(), "protected by")
        primary.terminate()
        self.assertEqual(primary.wait(timeout=20), 0)
        self.assertEqual(backup.wait(timeout=20), 0)

    def test_certificate_of_another_authority(self):
        backup, port = self.waiting_backup(*self.certificate("ca", "hostB"))
        words = self.primary(port, *self.certificate("stranger", "hostA"))
        self.says(words, ENVIRONMENT, "certificate is refused.*authority .*stranger/ca.pem")
        self.assertRegex(backup.stderr.readline().decode(), "turned away: the other side")

    def test_certificate_that_its_own_authority_did_not_sign(self):
        own, other = self.certificate("ca", "hostA"), self.certificate("stranger", "hostA")
        os.mkdir(self.path("arbiter"))
        self.says(["backup", "--listen", "127.0.0.1:0", "--arbiter", self.path("arbiter"), *own[:4], *other[4:]],
                  ENVIRONMENT, "hostA.pem is no good with the authority .*stranger/ca.pem")
        self.says(["backup", "--listen", "127.0.0.1:0", "--arbiter", self.path("arbiter"), *own[:2], *other[2:4],
                   *own[4:]], ENVIRONMENT, "key .*stranger/hostA.key")

    def test_certificate_options_are_whole_and_alone(self):
        words = self.certificate("ca", "hostA")
        backup = ["backup", "--listen", "127.0.0.1:0", "--arbiter", self.folder]
        self.says([*backup, *words[:4]], USAGE, "--ca")
        self.says([*backup, *words, "--plain-text"], USAGE, "choose one")
        self.says([*backup, *words, "--key", self.new_key("key")], USAGE, "choose one")

    def test_certificates_are_not_overwritten(self):
        words = self.certificate("ca", "hostA")
        with open(words[1], "rb") as file:
            before = file.read()
        self.says(["certificate", self.path("ca"), "hostA"], ENVIRONMENT, "hostA.pem exists already")
        with open(words[1], "rb") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(os.stat(words[3]).st_mode & 0o777, 0o600)
        self.says(["certificate", self.path("ca"), "ca"], USAGE, "host")
        os.remove(self.path("ca/ca.key"))
        self.says(["certificate", self.path("ca"), "hostB"], ENVIRONMENT, "ca.key")

    def test_key_on_one_side_and_certificates_on_the_other(self):
        backup, port = self.waiting_backup("--key", self.new_key("key"))
        self.says(self.primary(port, *self.certificate("ca", "hostA")), ENVIRONMENT, "certificate")
        self.assertRegex(backup.stderr.readline().decode(), "turned away: .*key")

    def test_backup_of_another_version(self):
        backup, port = self.waiting_backup("--plain-text")
        text = lambda word: bytes([len(word)]) + word  # sized, as docs/protocol/failover.md has it
        body = bytes([1]) + text(b"0.0.0") + text(b"machine") + text(b"old host") + bytes([1, 1]) + text(b"") + bytes([0])
        with socket.create_connection(("127.0.0.1", port)) as channel:
            channel.sendall(struct.pack("<IB", 1 + len(body), 1) + body)
            answer = channel.recv(4096)
        self.assertEqual(answer[4], 17)  # refused
        self.assertRegex(answer[5:].decode(errors="replace"), "version.*0.0.0")

    def test_backup_with_other_disks(self):
        key = self.new_key("key")
        words = self.pair(key, self.make_file("a.img", size=1 << 20), key, self.make_file("b.img", size=2 << 20))
        self.says(words, ENVIRONMENT, "another size")

    def test_backup_with_another_number_of_disks(self):
        key, disk = self.new_key("key"), self.make_file("a.img", size=1 << 20)
        words = self.pair(key, disk, key, disk) + ["--disk", self.make_file("b.img", size=1 << 20)]
        self.says(words, ENVIRONMENT, "disk")

    def test_no_backup(self):
        os.mkdir(self.path("arbiter"))
        self.says(["run", "--kernel", self.sleeper(), "--backup", "127.0.0.1:1", "--key", self.new_key("key"),
                   "--arbiter", self.path("arbiter")], ENVIRONMENT, "127.0.0.1:1")

    def test_no_key(self):
        self.says(["backup", "--listen", "127.0.0.1:0"], USAGE, "--key|--arbiter")

    def test_key_is_not_overwritten(self):
        key = self.make_file("key", b"precious")
        self.says(["key", key], ENVIRONMENT, "exists")
        with open(key, "rb") as file:
            self.assertEqual(file.read(), b"precious")

    def test_arbiter_missing(self):
        key = self.path("key")
        subprocess.run([POLLUX, "key", key], check=True)
        self.says(["backup", "--listen", "127.0.0.1:0", "--key", key, "--arbiter", self.path("absent")], ENVIRONMENT,
                  "absent")

    def test_log_missing(self):
        self.says(["replay", self.path("absent.log")], ENVIRONMENT, "absent.log")

    def test_log_foreign(self):
        log = self.make_file("foreign.log", b"#!/bin/sh\necho hello\n" * 100)
        self.says(["replay", log], FORMAT, "foreign.log: this file is not a Pollux log")
        self.says(["log", log], FORMAT, "foreign.log: this file is not a Pollux log")

    def recording(self):
        """The bytes of a log with some marks."""
        log = self.path("whole.log")
        machine = self.start("run", "--kernel", self.spinner(), "--memory", "16M", "--console", "none", "--mark-ms",
                             "1", "--record", log)
        deadline = time.monotonic() + 20
        while not os.path.exists(log) or os.path.getsize(log) < 10000:
            self.assertLess(time.monotonic(), deadline, "the log does not grow")
            time.sleep(0.01)
        machine.terminate()
        self.assertEqual(machine.wait(timeout=20), 0)
        with open(log, "rb") as file:
            return file.read()

    def test_log_cut(self):
        log = self.make_file("cut.log", self.recording()[:-7])
        for command in "replay", "log":
            result = subprocess.run([POLLUX, command, log], capture_output=True, text=True, timeout=60)
            self.assertRegex(result.stdout + result.stderr, "the log is truncated: .* good up to byte .* position")
            self.assertEqual(result.returncode, 0)

    def test_log_damaged(self):
        content = bytearray(self.recording())
        content[-2000] ^= 1
        log = self.make_file("damaged.log", content)
        for command in "replay", "log":
            result = subprocess.run([POLLUX, command, log], capture_output=True, text=True, timeout=60)
            self.assertRegex(result.stdout + result.stderr, "the log is damaged in frame .* up to byte .* position")
            self.assertEqual(result.returncode, 0)
        content[20] ^= 1
        log = self.make_file("headless.log", content)
        for command in "replay", "log":
            self.says([command, log], FORMAT, "headless.log: the log is damaged: its header has a wrong checksum")

    def test_log_empty(self):
        self.says(["replay", self.make_file("empty.log")], FORMAT, "log")

    def test_unknown_command(self):
        self.says(["fly"], USAGE, "no command 'fly'.*pollux --help")

    def test_help_is_on_everything(self):
        for words in (["--help"], ["run", "--help"], ["backup", "--help"], ["replay", "--help"], ["switch", "--help"],
                      ["log", "--help"], ["image", "--help"], ["image", "build", "--help"], ["key", "--help"],
                      ["certificate", "--help"]):
            result = subprocess.run([POLLUX, *words], capture_output=True, text=True, timeout=10)
            self.assertEqual(result.returncode, 0, words)
            self.assertGreater(len(result.stdout), 100, words)


if __name__ == "__main__":
    POLLUX = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
