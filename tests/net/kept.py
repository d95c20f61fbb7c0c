"""What the tests take from npm or build for themselves: made once for all runs, and kept."""
import fcntl
import hashlib
import os
import shutil
import subprocess

from harness import Skip, check


def kept(name, sources, make):
    """The directory that make(directory) fills, made anew only where the sources have changed."""
    digest = hashlib.sha256()
    for source in sources:
        with open(source, "rb") as f:
            digest.update(f.read() + b"\0")
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = os.path.join(cache, "taciturn-tests", name + "-" + digest.hexdigest()[:16])
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(path, "complete")):
            make(path)
            with open(os.path.join(path, "complete"), "w"):
                pass
    return path


def run(argv, directory, **env):
    r = subprocess.run(argv, cwd=directory, env=dict(os.environ, **env), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    check(r.returncode == 0, "%s failed:\n%s", argv[0], r.stdout)
    return r.stdout


def modules(directory):
    """The directory with node_modules as the package-lock.json of a directory says."""
    sources = [os.path.join(directory, name) for name in ("package-lock.json", "package.json")]

    def make(path):
        for source in sources:
            shutil.copy(source, path)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], path)
    return os.path.join(kept(os.path.basename(directory), sources, make), "node_modules")


def compiled(source, library):
    """The program that a C file and a library that pkg-config knows make."""
    if not shutil.which("cc") or subprocess.run(["pkg-config", "--exists", library]).returncode != 0:
        raise Skip("no compiler, or no " + library)
    name = os.path.basename(source)[:-2]

    def make(path):
        flags = run(["pkg-config", "--cflags", "--libs", library], path).split()
        run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-O1", "-o", name, source, *flags], path)
    return os.path.join(kept(name, [source], make), name)
