"""Debian with its full kernel does real work: a package, a compiler, interpreters, a database, ciphers, stress-ng.

Usage: full_test.py POLLUX IMAGE [TEST...]
"""

import os
import sys
import unittest

from guest import Guest

POLLUX = IMAGE = ""


class FullGuest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guest = Guest(POLLUX, IMAGE, ["--memory", "1G"])
        cls.addClassCleanup(cls.guest.close)
        cls.guest.log_in(timeout_s=1200)

    def run_in_guest(self, text, timeout_s=900):
        return self.guest.command(text, timeout_s)

    def test_kernel_is_debians_full_one(self):
        self.assertRegex(self.run_in_guest("uname -r"), r"-amd64$")
        self.assertNotIn("cloud", self.run_in_guest("uname -r"))

    def test_initial_ram_disk_is_debians_own(self):
        """Made with MODULES=most: it holds drivers of hardware that this machine has not."""
        names = self.run_in_guest("lsinitramfs /boot/initrd.img-$(uname -r) | grep -E '/(nvme|e1000e|ahci)[.]ko'")
        self.assertEqual(len(names.splitlines()), 3, names)

    def test_package_from_a_local_folder(self):
        self.run_in_guest("apt-get install -y /opt/packages/hello-local_1.0_all.deb >/dev/null 2>&1")
        self.assertEqual(self.run_in_guest("hello-local"), "hello from a package")

    def test_gcc(self):
        self.run_in_guest("printf '#include <stdio.h>\\n#include <math.h>\\nint main(void){double s=0;"
                          "for(int i=1;i<100000;i++)s+=sin(i)/i;printf(\"%%.12f\\\\n\",s);}' > /root/a.c")
        self.assertEqual(self.run_in_guest("gcc -O2 -o /root/a /root/a.c -lm && /root/a"), "1.070805294635")

    def test_python3(self):
        self.assertEqual(self.run_in_guest("python3 -c 'print(sum(i*i for i in range(200000)) % 1000003, 2**0.5)'"),
                         f"{sum(i * i for i in range(200000)) % 1000003} {2 ** 0.5}")

    def test_perl(self):
        self.assertEqual(self.run_in_guest("perl -e 'my %h; $h{$_ % 97} += $_ for 1..100000; print $h{5}'"),
                         str(sum(i for i in range(1, 100001) if i % 97 == 5)))

    def test_sqlite3(self):
        self.assertEqual(self.run_in_guest(
            "sqlite3 /root/t.db 'create table t(a integer primary key, b text); with recursive c(x) as (select 1 union "
            "all select x+1 from c where x<5000) insert into t select x, hex(x) from c; select count(*), sum(a) from t;"
            " pragma integrity_check;'").split(), ["5000|12502500", "ok"])

    def test_openssl_speed(self):
        self.assertIn("aes-128-cbc", self.run_in_guest("openssl speed -seconds 1 -bytes 1024 aes-128-cbc 2>&1").lower())
        self.run_in_guest("openssl speed -seconds 1 -bytes 1024 sha256 rsa2048 >/dev/null 2>&1")

    def test_compressors_agree(self):
        self.run_in_guest("head -c 3000000 /dev/urandom | od -x > /root/d; for c in gzip bzip2 zstd; do $c -c /root/d |"
                          " $c -dc | cmp - /root/d || exit 1; done")

    def test_stress_ng(self):
        self.assertIn("successful run", self.run_in_guest("stress-ng --cpu 1 --vm 1 --vm-bytes 128M --verify -t 20 2>&1"))


if __name__ == "__main__":
    POLLUX, IMAGE = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    unittest.main(verbosity=2)
