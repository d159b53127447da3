"""What the machines start from: the image, its kernel, the workloads' programs and their disk, the image's files.

All of it is kept in build/bench and made again when what it is made from has changed.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import sys

PROMISE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(PROMISE))
BUILD = os.path.join(ROOT, "build/bench")
SOURCES = os.path.join(PROMISE, "workloads")
FLAGS = ["-O2", "-static"]


class Missing(Exception):
    """Something the bench cannot do without; the sentence says what to do."""


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


PACKAGES = {"debugfs": "e2fsprogs", "mke2fs": "e2fsprogs", "gcc": "gcc libc6-dev libssl-dev"}


def run(*words):
    environment = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}  # where users do not look
    try:
        done = subprocess.run(words, capture_output=True, text=True, env=environment)
    except FileNotFoundError:
        raise Missing(f"{words[0]} is not installed: apt-get install {PACKAGES.get(words[0], words[0])}") from None
    if done.returncode:
        raise Missing(f"'{' '.join(words)}' failed: {done.stderr.strip()[-800:]}")
    return done.stdout


def image():
    """The guest's image (guests/bench), built where it is not there yet."""
    done = subprocess.run([os.path.join(ROOT, "guests/build"), "bench"], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise Missing("the guest image could not be built; what was wrong stands above")
    return done.stdout.strip()


def _digest(paths):
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sorted(paths):
        with open(path, "rb") as file:
            digest.update(path.encode() + file.read())
    return digest.hexdigest()[:12]


def workloads():
    """The folder of the workloads' programs and scripts, compiled for this host and for the guest alike."""
    sources = glob.glob(os.path.join(SOURCES, "*"))
    folder = os.path.join(BUILD, "workloads-" + _digest(sources))
    if os.path.isdir(folder):
        return folder
    for old in glob.glob(os.path.join(BUILD, "workloads-*")):
        shutil.rmtree(old) if os.path.isdir(old) else os.remove(old)
    say("compiling the workloads")
    making = os.path.join(BUILD, "making-workloads")
    shutil.rmtree(making, ignore_errors=True)
    os.makedirs(making)
    for source in sources:
        name, kind = os.path.splitext(os.path.basename(source))
        if kind == ".c":
            libraries = ["-lcrypto"] if name == "openssl" else ["-lm"]
            run("gcc", *FLAGS, "-o", os.path.join(making, name), source, *libraries)
        elif kind != ".h":
            shutil.copy(source, making)
    os.rename(making, folder)
    return folder


def workloads_disk(folder):
    disk = folder + ".img"
    if not os.path.exists(disk):
        run("mke2fs", "-q", "-F", "-t", "ext4", "-d", folder, disk + ".new", "64M")
        os.rename(disk + ".new", disk)
    return disk


def _per_image(image_path, kind):
    """A path for something made from this image; what was made from older ones is removed."""
    stem = os.path.splitext(os.path.basename(image_path))[0] + f"-{int(os.path.getmtime(image_path))}"
    os.makedirs(BUILD, exist_ok=True)
    path = os.path.join(BUILD, f"{kind}-{stem}")
    for old in glob.glob(os.path.join(BUILD, f"{kind}-*")):
        if old != path:
            subprocess.run(["chmod", "-R", "u+rwX", old], stderr=subprocess.DEVNULL)
            shutil.rmtree(old, ignore_errors=True)
    return path


def kernel(image_path):
    """The kernel and the initial RAM disk of the image, as files: both machines are given the same two."""
    folder = _per_image(image_path, "kernel")
    paths = [os.path.join(folder, name) for name in ("vmlinuz", "initrd.img")]
    if not all(os.path.exists(path) for path in paths):
        os.makedirs(folder, exist_ok=True)
        listing = run("debugfs", "-R", "ls -p /boot", image_path)
        names = [line.split("/")[5] for line in listing.splitlines() if line.count("/") > 5]
        for path in paths:
            stem = os.path.basename(path) + "-"
            found = [name for name in names if name.startswith(stem)]
            if not found:
                raise Missing(f"{image_path} has no /boot/{stem}*; build it again with guests/build bench --fresh")
            run("debugfs", "-R", f"dump /boot/{max(found)} {path}", image_path)
    return paths


def tree(image_path):
    """The image's files on this host, for running its programs natively."""
    folder = _per_image(image_path, "tree")
    if not os.path.isdir(folder):
        say("copying the image's files, to run its programs natively")
        making = os.path.join(BUILD, "making-tree")
        subprocess.run(["chmod", "-R", "u+rwX", making], stderr=subprocess.DEVNULL)
        shutil.rmtree(making, ignore_errors=True)
        os.makedirs(making)
        run("debugfs", "-R", f"rdump / {making}", image_path)  # without root it warns of owners, and goes on
        os.rename(making, folder)
    return folder
