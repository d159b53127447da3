"""The rows of the engine bench: what each runs, in which sizes.

A command is a line of sh. It sees $B, the folder of the workloads, and works in an empty folder in memory. {n} is the
row's size: the default takes the interpreter about a second, and the bench finds a better one for a faster engine.
What a command prints must depend on the size alone: it is compared between native, Pollux and QEMU.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    name: str
    group: str
    command: str
    size: int = 1
    largest: int = 1 << 40
    prepare: str = ""  # not timed; once for each size
    before: str = ""  # not timed; before each run
    image: bool = False  # runs the image's programs, so natively it needs the image's files

    def run(self, command, size, prepared):
        """One run by command(line), for which prepared says what was prepared; returns the answer, and what is prepared now."""
        wanted = (self.prepare, size)
        if self.prepare and prepared != wanted:
            command(self.prepare.replace("{n}", str(size)))
            prepared = wanted
        if self.before:
            command(self.before)
        return command(self.command.replace("{n}", str(size))), prepared

    def size_for(self, seconds, size, took):
        """The size that should take so long, as far as the row's bounds allow, when another one took so many seconds."""
        factor = max(1 / 50, min(50, seconds / max(took, 1e-4)))
        return max(1, min(self.largest, int(size * factor)))


@dataclass(frozen=True)
class Boot:
    """A row that is a start of the machine, timed from the start of the program that runs it to a text on the console."""
    name: str
    until: bytes
    append: str
    group: str = "boot"


AGENT = "init=/sbin/bench-init"
DATA = "$B/generate {n} > data"
PURGE = "dpkg --purge bench-manual bench-program bench-library >/dev/null 2>&1 || true"
SQL = ("create table t(a integer primary key, b text, c integer);"
       " with recursive s(x) as (select 1 union all select x+1 from s where x < {n}*100)"
       " insert into t select x, hex(x*7919), x*x%1009 from s;"
       " create index i on t(c, b); update t set b = b || c where a % 3 = 0;"
       " select count(*), sum(c), max(b) from t; select c, count(*) from t group by c order by 2 desc, 1 limit 5;"
       " select count(*) from t x join t y on x.c = y.a;")

ROWS = [
    Row("integer", "processor", "$B/integer {n}", 1_000),
    Row("n-body", "processor", "$B/nbody {n}", 150_000),
    Row("matrix", "processor", "$B/matrix {n}", 150),
    Row("sieve", "processor", "$B/sieve {n}", 25),
    Row("recursion", "processor", "$B/recursion {n}", 200),
    Row("indirect-calls", "processor", "$B/indirect_calls {n}", 5_000),
    Row("pointer-chase", "memory", "$B/pointer_chase {n}", 4_000),
    Row("random-loads", "memory", "$B/random_loads {n}", 3_000),
    Row("memcpy", "memory", "$B/memcpy {n}", 400),
    Row("system-calls", "kernel", "$B/system_calls {n}", 200),
    Row("page-faults", "kernel", "$B/page_faults {n}", 20),
    Row("fork-exit", "kernel", "$B/fork_exit {n}", 250),
    Row("fork-exec", "kernel", "$B/fork_exec {n}", 80),
    Row("pipe-ping-pong", "kernel", "$B/pipe_ping_pong {n}", 3_000),
    Row("context-switches", "kernel", "$B/context_switches {n}", 6_000),
    Row("sha256sum", "programs", "sha256sum < data", 30, 4_000, DATA, image=True),
    Row("md5sum", "programs", "md5sum < data", 200, 4_000, DATA, image=True),
    Row("gzip", "programs", "gzip -cn < data", 8, 2_000, DATA, image=True),
    Row("bzip2", "programs", "bzip2 -c < data", 4, 2_000, DATA, image=True),
    Row("zstd", "programs", "zstd -3 -q -c --single-thread < data", 30, 2_000, DATA, image=True),
    Row("sqlite3", "programs", f"sqlite3 :memory: '{SQL}'", 40, image=True),
    Row("python3", "programs", "python3 $B/interpreted.py {n}", 4, image=True),
    Row("perl", "programs", "perl $B/interpreted.pl {n}", 2, image=True),
    Row("gcc", "programs", "gcc -O2 -S -o - program.c", 1, 500, "python3 $B/write_c.py {n} > program.c", image=True),
    Row("openssl-aes", "programs", "$B/openssl aes {n}", 1_000),
    Row("openssl-sha", "programs", "$B/openssl sha {n}", 100),
    Row("openssl-rsa", "programs", "$B/openssl rsa {n}", 30),
    Row("apt-get-install", "programs",
        "apt-get install -y -o APT::Sandbox::User=root /opt/packages/*.deb >apt.log 2>&1 || { cat apt.log; exit 1; };"
        " cat /usr/share/bench-*.list", 1, 1, before=PURGE, image=True),
    Boot("power-on-to-init", b"@init", AGENT),
    Boot("boot-to-login", b"login:", ""),
]


def chosen(names, others=()):
    """The rows with these names, or of these groups; all without any. An unknown name is an error that names the rest,
    and `others`."""
    if not names:
        return ROWS
    known = {row.name for row in ROWS} | {row.group for row in ROWS}
    for name in names:
        if name not in known:
            raise ValueError(f"there is no row or group '{name}'; there are {', '.join([*(row.name for row in ROWS), *others])}")
    return [row for row in ROWS if row.name in names or row.group in names]
