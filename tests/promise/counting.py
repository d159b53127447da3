"""`./dev bench counting [OPTIONS of compare]`: what it costs that translated code counts each instruction.

Without its counts a guest would have no time, so that nothing can be measured without them. A second program counts
twice: what that takes more is what counting takes.
"""

import os
import subprocess

from engine import compare, prepare

SAMPLE = "integer,indirect-calls,recursion,system-calls,gzip,sqlite3,python3,perl"


def main(words):
    if {"-h", "--help"} & set(words):
        print(__doc__.strip())
        return 0
    subprocess.run([os.path.join(prepare.ROOT, "dev"), "build", "count-twice", "--target", "pollux"], check=True)
    programs = [os.path.join(prepare.ROOT, "build", name, "pollux") for name in ("release", "count-twice")]
    rows = [] if any(word.startswith("--rows") for word in words) else ["--rows", SAMPLE]
    return compare.main([*programs, *rows, *words])
