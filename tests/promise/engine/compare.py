"""`./dev bench compare PROGRAM PROGRAM... [--rows NAMES]`: builds of Pollux against each other.

Each runs a guest of its own, all at once on one processor of the host, and what counts is the processor time that each
took between the markers of a row. So they meet the same disturbances, and a busy host makes the times wrong, but hardly
the ratios: about 3 % remain, where times one after the other differ by half. Where a guest's pages lie makes 10 % for
programs as large as gcc, and stays while the guest runs: several boots even it out.
"""

import argparse
import glob
import os
import shutil
import sys
import threading

from . import prepare, rows, table
from .command import make_setup
from .console import Failed, Silent
from .targets import Pollux

LIMIT_S = 300


def parse(words):
    parser = argparse.ArgumentParser(prog="./dev bench compare", description=__doc__.split("\n\n", 1)[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="+", help="programs, each against the first one")
    parser.add_argument("--rows", default="", help="rows or groups of ./dev bench engine, with commas; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each row, of which the least counts (3)")
    parser.add_argument("--boots", type=int, default=1, help="times that all of it is done, each in new guests (1)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a row should take the first program (1)")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="the host's processor to run on")
    return parser.parse_args(words)


def processor_seconds(process):
    """What all threads of a process have taken so far, in seconds."""
    total = 0
    for path in glob.glob(f"/proc/{process}/task/*/schedstat"):
        try:
            with open(path) as file:
                total += int(file.read().split()[0])
        except OSError:  # a thread that has just ended
            pass
    return total / 1e9


class Machines:
    """One machine for each program; every command goes to all of them at once."""

    def __init__(self, programs, core):
        setup = make_setup()
        self.machines = [Pollux(setup, os.path.abspath(program), wrap=["taskset", "-c", str(core)]) for program in programs]

    def start(self):
        for machine in self.machines:
            machine.boot(rows.AGENT)
            machine.console.clock = lambda process=machine.process.pid: processor_seconds(process)
        self._each(lambda machine: machine.console.wait_ready(LIMIT_S))

    def command(self, command):
        """Processor seconds of each."""
        return [seconds for seconds, _ in self._each(lambda machine: machine.console.command(command, LIMIT_S))]

    def _each(self, action):
        answers, wrong = [None] * len(self.machines), []

        def run(n):
            try:
                answers[n] = action(self.machines[n])
            except (Silent, Failed) as why:
                wrong.append(f"{self.machines[n].program}: {why}")

        threads = [threading.Thread(target=run, args=(n,)) for n in range(len(self.machines))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if wrong:
            raise Silent("; ".join(wrong))
        return answers

    def close(self):
        for machine in self.machines:
            machine.close()


def measure(machines, row, options):
    """The least processor seconds of each program for one row."""
    size, prepared = min(row.size, row.largest), None

    def once():
        nonlocal prepared
        times, prepared = row.run(machines.command, size, prepared)
        return times

    once()  # the first time, programs are translated
    for _ in range(4):
        took = once()
        fitted = row.size_for(options.seconds, size, took[0])
        if took[0] > options.seconds / 2 or fitted <= size:
            break
        size = fitted
    return [min(times) for times in zip(*(once() for _ in range(options.rounds)))]


def main(words):
    options = parse(words)
    try:
        chosen = [row for row in rows.chosen([name for name in options.rows.split(",") if name]) if isinstance(row, rows.Row)]
        for program in options.program:
            if not shutil.which(os.path.abspath(program)):
                raise prepare.Missing(f"{program} is no program")
        machines = Machines(options.program, options.core)
    except (prepare.Missing, ValueError) as wrong:
        print(f"bench: {wrong}", file=sys.stderr)
        return 1
    for n, program in enumerate(options.program):
        print(f"{n}: {program}")
    others = range(1, len(options.program))
    print(f"{'':18}" + "".join(f"{f'{n}, s':>10}" for n in range(len(options.program))) + "".join(f"{f'{n} / 0':>9}" for n in others))
    ratios = {row.name: [] for row in chosen}  # a list for each boot
    try:
        for _ in range(options.boots):
            machines.start()
            for row in chosen:
                times = measure(machines, row, options)
                ratios[row.name].append([time / times[0] for time in times])
                say(row.name, [f"{time:10.3f}" for time in times], [ratios[row.name][-1]], others)
    except Silent as silent:
        print(f"bench: {silent}", file=sys.stderr)
        return 1
    finally:
        machines.close()
    if others and chosen:
        no_times = [" " * 10] * len(options.program)
        print("geometric means")
        for name in ratios if options.boots > 1 else ():
            say(name, no_times, ratios[name], others)
        say("all", no_times, [row for boots in ratios.values() for row in boots], others)
    return 0


def say(name, times, ratios, others):
    """A line of the table: the means of the ratios, by program."""
    means = [f"{table.geometric_mean([row[n] for row in ratios]):9.3f}" for n in others]
    print(f"{name:18}" + "".join(times) + "".join(means), flush=True)
