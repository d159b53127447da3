"""Runs rows on targets: finds a size, repeats, compares what was printed, notes what went wrong."""

import statistics
import sys

from .console import Failed, Silent
from .rows import Boot


class Runner:
    """Rows on targets (by name), each started when it is first needed and again after it fell silent.

    seconds: what a row should take under the target whose size is sought; None keeps the rows' own sizes times `scale`.
    """

    def __init__(self, targets, runs, seconds, scale, limit_s, progress=sys.stderr):
        self.targets, self.runs, self.seconds, self.scale, self.limit_s = targets, runs, seconds, scale, limit_s
        self.progress = progress
        self.running, self.prepared, self.never_started = set(), {}, {}

    def say(self, text):
        print(f"bench: {text}", file=self.progress, flush=True)

    @property
    def boot_limit_s(self):
        return max(self.limit_s, 900)

    # ---- one target ----

    def _start(self, name):
        if name in self.running:
            return
        if name in self.never_started:
            raise Silent(self.never_started[name])
        self.say(f"starting {name}")
        try:
            self.targets[name].start(self.boot_limit_s)
        except Silent as silent:
            why = f"did not start: {silent}; the program printed: {self.targets[name].output()[-500:].strip()}"
            self.never_started[name] = why  # the other rows need not wait for it again
            self.targets[name].close()
            raise Silent(why) from None
        self.running.add(name)
        self.prepared[name] = None

    def _stop(self, name):
        self.running.discard(name)
        self.targets[name].close()

    def once(self, name, row, size):
        """(seconds, checksum) of one run."""
        self._start(name)
        console = self.targets[name].console
        try:
            answer, self.prepared[name] = row.run(lambda line: console.command(line, self.limit_s), size, self.prepared[name])
            return answer
        except Silent as silent:
            said = self.targets[name].output()[-500:].strip()
            self._stop(name)
            raise Silent(f"{silent}; the program printed: {said}") from None

    # ---- sizes ----

    def size_for(self, row, name):
        """A size that takes between 0.5 and 2 times the wished time, as far as the row's bounds allow."""
        size = max(1, min(row.largest, int(row.size * self.scale)))
        if self.seconds is None:
            return size
        for _ in range(8):
            took = self.once(name, row, size)[0]
            if self.seconds / 2 <= took <= self.seconds * 2:
                break
            fitted = row.size_for(self.seconds, size, took)
            if fitted == size:
                break
            size = fitted
        return size

    # ---- rows ----

    def names_for(self, row, native_runs_image):
        return [name for name in self.targets if name != "native" or native_runs_image or not row.image]

    def run_row(self, row, native_runs_image=True):
        """One row as a dictionary: size, times by target, and `failed` by target where it went wrong."""
        names = self.names_for(row, native_runs_image)
        result = {"group": row.group, "size": 0, "times": {name: [] for name in names}, "failed": {}}
        checksums = {}
        pace = next((name for name in names if name != "native"), names[0] if names else None)
        try:
            result["size"] = self.size_for(row, pace)
        except (Failed, Silent) as wrong:
            result["failed"][pace] = str(wrong)
            result["size"] = max(1, int(row.size * self.scale))
        for _ in range(self.runs):
            for name in names:  # by turns, so that a busy moment of the host does not hit one of them alone
                if name in result["failed"]:
                    continue
                try:
                    took, checksum = self.once(name, row, result["size"])
                    result["times"][name].append(took)
                    checksums.setdefault(checksum, []).append(name)
                except (Failed, Silent) as wrong:
                    result["failed"][name] = str(wrong)
        self._compare(result, checksums)
        return finish(result)

    @staticmethod
    def _compare(result, checksums):
        if len(checksums) < 2:
            return
        # Native is right where it ran; otherwise nobody knows who is, so all have failed.
        right = next((c for c, names in checksums.items() if "native" in names), None)
        for checksum, names in checksums.items():
            if checksum != right:
                for name in set(names):
                    result["failed"][name] = f"printed something else than the others (checksum {checksum})"

    def run_boot(self, boot):
        names = [name for name in self.targets if name != "native"]
        result = {"group": boot.group, "size": 1, "times": {name: [] for name in names}, "failed": {}}
        for _ in range(self.runs):
            for name in names:
                if name in result["failed"]:
                    continue
                self._stop(name)
                target = self.targets[name]
                try:
                    target.boot(boot.append)
                    result["times"][name].append(target.console.text_time(boot.until, self.boot_limit_s)
                                                 - target.started)
                except Silent as wrong:
                    result["failed"][name] = str(wrong)
                self._stop(name)
        return finish(result)

    def run(self, row, native_runs_image=True):
        is_boot = isinstance(row, Boot)
        result = self.run_boot(row) if is_boot else self.run_row(row, native_runs_image)
        shown = ", ".join(f"{name} {value:.3f} s" for name, value in result["median"].items())
        wrong = "".join(f"; {name} FAILED: {text}" for name, text in result["failed"].items())
        self.say(f"{row.name} ({result['size']}): {shown}{wrong}")
        return result

    def close(self):
        for target in self.targets.values():
            target.close()
        self.running.clear()


def turn_by_turn(times, others):
    """The median of the ratios of neighbours in time, which a drift of the host's speed disturbs least."""
    return statistics.median(time / other for time, other in zip(times, others))


def finish(result):
    """Adds medians and ratios; a target that failed has neither."""
    good = {name: times for name, times in result["times"].items() if times and name not in result["failed"]}
    median = {name: statistics.median(times) for name, times in good.items()}
    result["median"] = median
    result["ratio"] = {}
    for over, under in (("pollux", "native"), ("qemu", "native"), ("qemu", "pollux")):
        if over in good and under in good:
            result["ratio"][f"{over}/{under}"] = turn_by_turn(good[over], good[under])
    return result
