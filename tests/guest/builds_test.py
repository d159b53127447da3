"""What one build records another replays, either way round: a boot with network traffic and disk writes.

Usage: builds_test.py POLLUX OTHER... IMAGE. Those of the others that were not built from the sources as they are now are
left out.
"""

import os
import pathlib
import sys
import unittest

from recording import RecordingTest

POLLUX = IMAGE = ""
OTHERS = []


def is_of_these_sources(program):
    sources = pathlib.Path(__file__).parents[2] / "src"
    changed = max(path.stat().st_mtime for path in sources.rglob("*.[hc]*") if not path.stem.endswith("_test"))
    return os.path.exists(program) and os.path.getmtime(program) >= changed


class Builds(RecordingTest):
    def setUp(self):
        if not OTHERS:
            self.skipTest("there is no other build of these sources: make one with ./dev build debug --target pollux")
        self.log = os.path.join(self.folder(), "boot.log")

    def test_what_this_build_records_the_others_replay(self):
        recorded = self.record_boot(POLLUX, IMAGE, self.log)
        for other in OTHERS:
            self.replays(other, "translate", self.log, recorded)

    def test_what_another_build_records_this_one_replays(self):
        recorded = self.record_boot(OTHERS[0], IMAGE, self.log)
        self.replays(POLLUX, "translate", self.log, recorded)
        self.holds_every_kind(POLLUX, self.log)


if __name__ == "__main__":
    paths = [os.path.abspath(path) for path in sys.argv[1:]]
    POLLUX, IMAGE = paths[0], paths[-1]
    OTHERS = [path for path in paths[1:-1] if path != POLLUX and is_of_these_sources(path)]
    unittest.main(argv=sys.argv[:1], verbosity=2)
