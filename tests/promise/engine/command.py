"""`./dev bench engine`: the program's options, and the order in which things happen."""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from types import SimpleNamespace

from . import chart, own, prepare, rows, table
from .native import Native
from .runner import Runner
from .targets import MEMORY_MIB, QEMU_CPU, Pollux, Qemu

NOTES = [
    "Times are the host's, between marker lines on the guest's serial console; medians. Each row runs on one target"
    " after the other, and prints the same result on all of them.",
    f"Pollux and QEMU start from copies of one image, with one kernel and initial RAM disk, {MEMORY_MIB} MiB and one"
    " processor, with mitigations=off. Pollux unpacks the kernel on the host, QEMU in the guest.",
    f"The guest's processor is x86-64-v2 with AES and PCLMULQDQ and without AVX and SHA; QEMU: -cpu {QEMU_CPU}. Natively"
    " GLIBC_TUNABLES and OPENSSL_ia32cap keep the C library and OpenSSL to the same; zstd may use BMI2 natively.",
]


def parse(words):
    parser = argparse.ArgumentParser(
        prog="./dev bench engine", description="Rows of work natively, under Pollux and under QEMU's translator.")
    parser.add_argument("row", nargs="*", help="rows or groups to run (--list names them); all by default")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    parser.add_argument("--runs", type=int, default=5, help="runs of each row, of which the median counts (5)")
    parser.add_argument("--quick", action="store_true", help="one run of each row at its own size, and of the engine's own"
                        " rows only those that are named: for development")
    parser.add_argument("--targets", default="native,pollux,qemu", help="which of native,pollux,qemu to run")
    parser.add_argument("--seconds", type=float, default=1.0, help="a row's size is sought such that it takes about this"
                        " long under Pollux (1)")
    parser.add_argument("--scale", type=float, help="do not seek sizes: each row's own size times this")
    parser.add_argument("--limit", type=float, default=120, help="seconds after which a row counts as hung (120)")
    parser.add_argument("--engine", help="pollux run --engine; default: the program's")
    parser.add_argument("--pollux", default=os.path.join(prepare.ROOT, "build/release/pollux"),
                        help="the program to measure; default: build/release/pollux")
    parser.add_argument("--wrap", default="", help="words before the program, e.g. 'perf record -g -o /tmp/perf.data'")
    parser.add_argument("--json", metavar="FILE", help="write the results there ('-': standard output, no table)")
    parser.add_argument("--svg", metavar="FILE", help="draw the results there")
    return parser.parse_args(words)


def host():
    model = ""
    with open("/proc/cpuinfo") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":")[1].strip()
                break
    return f"{model}, {os.cpu_count()} processors, Linux {platform.release()}"


def version(program):
    done = subprocess.run([program, "--version"], capture_output=True, text=True)
    return done.stdout.split("\n")[0].strip()


def make_targets(options, setup, notes):
    wanted = options.targets.split(",")
    for name in wanted:
        if name not in ("native", "pollux", "qemu"):
            raise prepare.Missing(f"there is no target '{name}'; there are native, pollux and qemu")
    targets, native_runs_image = {}, False
    if "native" in wanted:
        native = targets["native"] = Native(setup.workloads, prepare.tree(setup.image))
        native_runs_image = native.runs_image_programs()
        if not native_runs_image:
            notes.append("The image's own programs have no native figure: neither root nor a user namespace is available.")
    if "pollux" in wanted:
        targets["pollux"] = Pollux(setup, os.path.abspath(options.pollux), options.engine, wrap=options.wrap.split())
    if "qemu" in wanted:
        if Qemu.available():
            targets["qemu"] = Qemu(setup)
        else:
            notes.append("QEMU is not installed, so there is nothing to compare with: apt-get install qemu-system-x86")
            prepare.say(notes[-1])
    return targets, native_runs_image


def make_setup():
    image = prepare.image()
    kernel, initrd = prepare.kernel(image)
    workloads = prepare.workloads()
    return SimpleNamespace(image=image, kernel=kernel, initrd=initrd, workloads=workloads,
                           workloads_disk=prepare.workloads_disk(workloads))


def measure(options):
    own_rows = [name for name in own.NAMES if name in options.row or (not options.row and not options.quick)]
    row_names = [name for name in options.row if name not in own.NAMES]
    chosen = [] if options.row and not row_names else rows.chosen(row_names, own.NAMES)
    if "footprint" in own_rows and not any(isinstance(row, rows.Row) for row in chosen):
        raise ValueError("footprint is measured after other rows: name some beside it, as in `engine gcc footprint`")
    notes = list(NOTES)
    setup = make_setup()
    targets, native_runs_image = make_targets(options, setup, notes)
    seconds = None if options.quick or options.scale else options.seconds
    runs = 1 if options.quick else options.runs
    runner = Runner(targets, runs, seconds, options.scale or 1.0, options.limit)
    engine = {}
    try:
        results = {row.name: runner.run(row, native_runs_image) for row in chosen if isinstance(row, rows.Row)}
        if "footprint" in own_rows and "pollux" in runner.running:
            engine |= own.memory(runner)
        results |= {row.name: runner.run(row) for row in chosen if isinstance(row, rows.Boot)}
    finally:
        runner.close()
    engine |= own.measure(own_rows, setup, options, runs, seconds)
    about = {"pollux": version(options.pollux)}
    if "qemu" in targets:
        about["qemu"] = version(Qemu.program)
    return {"host": host(), "programs": about, "engine_option": options.engine, "runs": runs, "rows": results,
            "geometric_mean": table.means(results), "engine": engine, "notes": notes}


def main(words):
    options = parse(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no machine outlives the bench
    if options.list:
        for row in rows.ROWS:
            print(f"{row.group:12} {row.name}")
        for name in own.NAMES:
            print(f"{'engine':12} {name}")
        return 0
    try:
        results = measure(options)
    except (prepare.Missing, ValueError) as wrong:
        print(f"bench: {wrong}", file=sys.stderr)
        return 1
    if options.json == "-":
        print(json.dumps(results, indent=1))
    else:
        print(table.render(results))
        if options.json:
            with open(options.json, "w") as file:
                json.dump(results, file, indent=1)
    if options.svg:
        with open(options.svg, "w") as file:
            file.write(chart.render(results))
    failed = any(row["failed"] for row in results["rows"].values())
    return 1 if failed or any(str(value).startswith("FAILED") for value in results["engine"].values()) else 0
