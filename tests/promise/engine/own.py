"""Rows about the engine alone: its speed, what recording and marks cost, how fast a replay is, how much memory it takes.

Costs are ratios of one guest with the thing to one without it, over a sample of rows that run by turns.
"""

import json
import os
import re
import statistics
import subprocess
import time

from . import prepare, rows
from .console import Failed, Silent
from .runner import Runner, turn_by_turn
from .table import geometric_mean
from .targets import MEMORY_MIB, Pollux

NAMES = ("speed", "recording", "replay", "footprint")
SAMPLE = ("integer", "memcpy", "system-calls", "page-faults", "fork-exec", "gzip", "python3")
COMPUTE = os.path.join(prepare.ROOT, "build/release/tests/bare_metal/compute.elf")
MARKS_OFF = ["--mark-ms", "3600000"]


def last_line(text):
    """The report of `pollux ... --json`: its last line."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise Failed("pollux printed no report: " + text[-300:])
    return json.loads(lines[-1])


def speed(options, runs):
    """Million instructions a second on CoreMark-like code without an operating system, by the program's own report."""
    result = {}
    engines = {"million instructions a second, interpreter": ["--engine", "interpret"]}
    if options.engine != "interpret":
        words = ["--engine", options.engine] if options.engine else []
        engines = {f"million instructions a second, {options.engine or 'default engine'}": words, **engines}
    for name, words in engines.items():
        speeds = []
        for _ in range(runs):
            done = subprocess.run([options.pollux, "run", "--kernel", COMPUTE, "--memory", "16M", "--clock", "virtual",
                                   "--console", "none", "--json", *words], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True)
            report = last_line(done.stdout)
            speeds.append(report["instructions"] / report["busy_ns"] * 1000)
        result[name] = statistics.median(speeds)
    return result


def beyond_guest_mib(pid):
    """Memory in use beyond the guest's own: all of the process without its largest mapping, which is the guest's memory.

    Pages mapped twice count once. Where the kernel has joined the guest's mapping with a neighbour, what is above the
    guest's size counts as used.
    """
    with open(f"/proc/{pid}/smaps") as file:
        text = file.read()
    mappings = [(int(size), int(used)) for size, used in re.findall(r"^Size: +(\d+) kB.*?^Pss: +(\d+) kB", text, re.M | re.S)]
    largest = max(mappings)
    return (sum(used for _, used in mappings) - largest[1] + max(0, largest[0] - MEMORY_MIB * 1024)) / 1024


def memory(runner):
    process = runner.targets["pollux"].process
    try:
        return {"memory beyond the guest's, MiB, after these rows": beyond_guest_mib(process.pid)}
    except OSError as refused:
        return {"memory beyond the guest's, MiB, after these rows": f"unknown ({refused.strerror})"}


def recording(setup, options, runs, seconds):
    """Three guests by turns: plain, recorded, and without marks."""
    def guest(*arguments):
        return Pollux(setup, os.path.abspath(options.pollux), options.engine, arguments)

    targets = {"plain": guest(), "recorded": guest("--record", "bench.log"), "unmarked": guest(*MARKS_OFF)}
    runner = Runner(targets, runs, seconds, options.scale or 1.0, options.limit)
    ratios = {"recorded": [], "marked": []}
    try:
        for row in rows.chosen(SAMPLE):
            result = runner.run(row)
            if result["failed"]:
                raise Failed(f"{row.name}: {result['failed']}")
            ratios["recorded"].append(turn_by_turn(result["times"]["recorded"], result["times"]["plain"]))
            ratios["marked"].append(turn_by_turn(result["times"]["plain"], result["times"]["unmarked"]))
    finally:
        runner.close()
    return {"time with recording / without": geometric_mean(ratios["recorded"]),
            "time with marks each 50 ms / without": geometric_mean(ratios["marked"])}


def replay(setup, options, runs):
    """A recorded boot with the sample of rows, then its replay; idle time is in neither."""
    results = []
    for _ in range(runs):
        target = Pollux(setup, os.path.abspath(options.pollux), options.engine, ["--record", "bench.log"])
        try:
            target.start(max(options.limit, 900))
            for row in rows.chosen(SAMPLE):
                if row.prepare:
                    target.console.command(row.prepare.replace("{n}", str(row.size)), options.limit)
                target.console.command(row.command.replace("{n}", str(row.size)), options.limit)
            recorded = last_line(target.power_off())
            log = os.path.join(target.folder, "bench.log")
            words = [options.pollux, "replay", log, "--json", *(["--engine", options.engine] if options.engine else [])]
            begun = time.monotonic()
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            took = time.monotonic() - begun
            again = last_line(done.stdout)
            if done.returncode or again["digest"] != recorded["digest"]:
                raise Failed(f"the replay did not end as the recording: {again['why']}")
            results.append((took / (recorded["busy_ns"] / 1e9), os.path.getsize(log) / 2**20,
                            recorded["instructions"] / 1e9))
        finally:
            target.close()
    return {"replay time / record time": statistics.median(ratio for ratio, _, _ in results),
            "its log, MiB": results[-1][1], "its instructions, thousand million": results[-1][2]}


def measure(names, setup, options, runs, seconds):
    """The engine's own rows with these names, as {text: figure}; a failure stands in the figure's place."""
    result = {}
    ways = {"speed": lambda: speed(options, runs), "replay": lambda: replay(setup, options, runs),
            "recording": lambda: recording(setup, options, runs, seconds)}
    for name in names:
        if name not in ways:
            continue
        prepare.say(f"the engine's own rows: {name}")
        try:
            result |= ways[name]()
        except (Failed, Silent, KeyError, OSError) as wrong:
            result[name] = f"FAILED: {wrong}"
    return result
