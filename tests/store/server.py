"""What the kinds of database have in common."""
import os
import signal
import socket
import subprocess
import time

SERVERS = {}


def database(cls):
    """Registers a class of databases."""
    SERVERS[cls.name] = cls
    return cls


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(what, check, seconds=60):
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


class Server:
    """name: of the tests; kind: what the suite calls it; groups: of the suite, none for all. start() returns the
    connection string. do_VERB(rest) is what the suite may ask for; a verb that is missing is one that this
    database cannot do, and the tests that need it are skipped."""
    name = kind = ""
    groups = []

    def __init__(self, directory):
        self.dir, self.procs = directory, []

    @classmethod
    def lacks(cls):
        """The program that is missing, or None."""
        return None

    def start(self):
        raise NotImplementedError

    def spawn(self, argv, name, **kw):
        """A process of this test, its output in NAME.log."""
        with open(os.path.join(self.dir, name + ".log"), "ab") as out:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=self.dir, **kw)
        self.procs.append(p)
        return p

    def log(self):
        """What its processes wrote, for a failure."""
        text = ""
        for entry in sorted(os.listdir(self.dir)):
            if entry.endswith(".log"):
                with open(os.path.join(self.dir, entry), errors="replace") as f:
                    text += "--- %s\n%s" % (entry, f.read()[-1500:])
        return text

    def end(self):
        for p in self.procs:
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.kill()
            p.wait()
