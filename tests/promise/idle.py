"""`./dev bench idle`: bytes of log that an idle Debian guest makes, in Mbit/s."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
POLLUX = os.path.join(ROOT, "build/release/pollux")


def idle(seconds):
    """Boots the demonstration's guest, lets it idle, and looks at how its log grows meanwhile."""
    image = subprocess.run([os.path.join(ROOT, "guests/build"), "demo"], capture_output=True, text=True,
                           check=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="pollux-bench-") as folder:
        disk, log = os.path.join(folder, "disk.img"), os.path.join(folder, "idle.log")
        subprocess.run(["cp", "--sparse=always", image, disk], check=True)
        with open(os.path.join(folder, "out"), "w+b") as out:
            machine = subprocess.Popen([POLLUX, "run", "--disk", disk, "--memory", "256M", "--record", log, "--json"],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 300
            while b"login:" not in open(os.path.join(folder, "out"), "rb").read():
                if time.monotonic() > deadline or machine.poll() is not None:
                    sys.exit("pollux bench: the guest did not boot to a login")
                time.sleep(0.5)
            time.sleep(20)  # what follows a boot is over
            before = os.path.getsize(log)
            time.sleep(seconds)
            grown = os.path.getsize(log) - before
            machine.send_signal(signal.SIGTERM)
            machine.wait()
    return {"mbit_per_second": round(grown * 8 / seconds / 1e6, 5), "promise": 0.05, "seconds": seconds}


def main(words):
    parser = argparse.ArgumentParser(prog="./dev bench idle", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long the idle guest is watched")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    result = idle(options.seconds)
    if options.json:
        print(json.dumps({"idle": result}))
        return 0
    for key, value in result.items():
        print(f"idle     {key:34} {value}")
    return 0
