"""The server under test: started with a configuration of its own, awaited, watched, ended.

`kind` is "taciturn", or "coturn" for Debian's turnserver: a stand-in to try the tests against.
"""
import contextlib
import glob
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import time

import lab as _lab

REALM = "taciturn.test"
REPORT = re.compile(r"ERROR: (Address|Leak)Sanitizer|LeakSanitizer has encountered|"
                    r"WARNING: ThreadSanitizer|runtime error:|Assertion .* failed|BUG:")

# Options that the stand-in does not have; it behaves like that anyway, or the test is not for it.
ONLY_TACITURN = {"allow-private-peers", "allow-multicast-peers", "rfc5766-channel-numbers",
                 "strict-expiry", "unauthorized-ratelimit", "unauthorized-ratelimit-rps",
                 "udp-gro", "udp-gso", "log-format", "relay-threads", "stateless-nonce-secret",
                 "stream-queue-ms", "tls-min-version", "http-port", "http-address", "http-token",
                 "http-token-file", "http-cert", "http-pkey", "http-open-metrics", "turn-uri", "check-page"}
COTURN_ALWAYS = {"no-cli": True, "no-tls": True, "no-dtls": True, "simple-log": True,
                 "log-file": "stdout", "lt-cred-mech": True}


ASAN_OPTIONS = "exitcode=99:detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1"


class ServerFailed(AssertionError):
    pass


def sanitizer_env(more):
    """Every report ends the process with a status that is not 0, or is found by REPORT."""
    env = dict(os.environ)
    env["ASAN_OPTIONS"] = ASAN_OPTIONS
    env["UBSAN_OPTIONS"] = "print_stacktrace=1:halt_on_error=1:exitcode=99"
    env["LSAN_OPTIONS"] = "exitcode=99"
    env["TSAN_OPTIONS"] = "exitcode=66:halt_on_error=0:second_deadlock_stack=1:history_size=4"
    env.pop("NOTIFY_SOCKET", None)
    env.update(more)
    return env


def config_text(kind, conf):
    """name=value lines; True is a bare name, None and False are left out, a list repeats."""
    merged = dict(COTURN_ALWAYS, **conf) if kind == "coturn" else conf
    lines = []
    for name, value in merged.items():
        if kind == "coturn" and name in ONLY_TACITURN:
            continue
        for v in value if isinstance(value, (list, tuple)) else [value]:
            if v is True:
                lines.append(name)
            elif v is not None and v is not False:
                lines.append("%s=%s" % (name, v))
    return "\n".join(lines) + "\n"


def threads_of(pid):
    """What each thread of a process that hangs is doing: signals, wait channel, and its stack where gdb is."""
    said = []
    for task in sorted(glob.glob("/proc/%d/task/*" % pid)):
        with contextlib.suppress(OSError):
            for name in ("comm", "wchan", "syscall"):
                with open(os.path.join(task, name)) as f:
                    said.append("%s %s: %s" % (os.path.basename(task), name, f.read().strip()))
            with open(os.path.join(task, "status")) as f:
                said += re.findall(r"^(?:State|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt):.*$", f.read(), re.M)
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        r = subprocess.run(["gdb", "-p", str(pid), "-batch", "-nx", "-ex", "thread apply all bt 30"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, errors="replace", timeout=60)
        said += r.stdout.splitlines()[-200:]
    return "\n".join(said)


class Server:
    """conf: option -> value, laid over DEFAULTS. Use through Test.server()."""

    DEFAULTS = {
        "listening-ip": [_lab.SRV, _lab.SRV6], "listening-port": 3478,
        "relay-ip": [_lab.RELAY, _lab.RELAY6], "realm": REALM,
        "user": ["alice:wonderland", "bob:builder"],
        "allow-private-peers": True, "relay-threads": 2, "http-port": 0,
    }

    def __init__(self, binary, kind, ns, directory, name="server", scale=1.0):
        self.binary, self.kind, self.ns, self.scale = binary, kind, ns, scale
        self.path = os.path.join(directory, name + ".conf")
        self.log_path = os.path.join(directory, name + ".log")
        self.proc = self.pidfd = self.status = None
        self.listen = []

    def write_config(self, conf):
        if self.kind == "coturn":
            conf = dict({"pidfile": self.path + ".pid", "userdb": self.path + ".db"}, **conf)
        with open(self.path, "w") as f:
            f.write(config_text(self.kind, conf))
        return self.path

    def spawn(self, args, nofile=None, env=None, prepare_more=None):
        """Runs the binary with these arguments; its output is the log."""
        def prepare():
            _lab.die_with_parent()
            if prepare_more:
                prepare_more()
            if nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, nofile)
        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen(self.ns.argv(self.binary, *args), stdout=log,
                                         stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                         preexec_fn=prepare, env=sanitizer_env(env or {}),
                                         cwd=os.path.dirname(self.path))
        self.pidfd = os.pidfd_open(self.proc.pid)
        return self

    def start(self, conf=None, args=(), nofile=None, env=None):
        """Starts and returns once a Binding request has been answered on every listening-ip."""
        full = dict(self.DEFAULTS, **(conf or {}))
        self.write_config(full)
        ips = full["listening-ip"]
        self.listen = [(ip, int(full["listening-port"]))
                       for ip in (ips if isinstance(ips, list) else [ips]) if ip]
        self.spawn(["-c", self.path, *args], nofile, env)
        for address in self.listen:
            if full.get("no-udp"):
                self._await_stream((address[0], int(full["tls-listening-port"])
                                    if full.get("no-tcp") else address[1]))
            else:
                self._await_binding(address)
        return self

    def _await_stream(self, address):
        deadline = time.monotonic() + 15 * self.scale
        while time.monotonic() < deadline:
            try:
                self.ns.tcp(address[0], address).close()
                return
            except OSError:
                select.select([self.pidfd], [], [], 0.05)
            if not self.alive():
                raise ServerFailed("the server ended at its start, status %s" % self.wait(5))
        raise ServerFailed("no connection to %s:%d" % address)

    def _await_binding(self, address):
        request = struct.pack("!HHI12s", 1, 0, 0x2112A442, os.urandom(12))
        deadline = time.monotonic() + 15 * self.scale
        with self.ns.entered():
            s = socket.socket(_lab.family_of(address[0]), socket.SOCK_DGRAM)
        s.connect(address)
        s.setblocking(False)
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionRefusedError):
                s.send(request)
            ready, _, _ = select.select([s, self.pidfd], [], [], 0.1)
            if self.pidfd in ready:
                raise ServerFailed("the server ended at its start, status %s" % self.wait(5))
            try:
                if s in ready and s.recv(2048)[4:20] == request[4:20]:
                    s.close()
                    return
            except ConnectionRefusedError:
                select.select([self.pidfd], [], [], 0.02)
        raise ServerFailed("no answer to Binding from %s:%d" % address)

    def epoll_of(self, thread):
        """The descriptor that a thread of that name waits at for events; None while it does something else.
        PermissionError: this host does not tell."""
        for comm in glob.glob("/proc/%d/task/*/comm" % self.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError), open(comm) as f, open(comm[:-4] + "syscall") as call:
                words = call.read().split()
                if f.read().strip() == thread and words[0].isdigit() and int(words[0]) in _lab.EPOLL_WAITS:
                    return int(words[1], 16)
        return None

    @property
    def pid(self):
        return self.proc.pid

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def signal(self, sig):
        signal.pidfd_send_signal(self.pidfd, sig)

    @contextlib.contextmanager
    def held(self):
        """Every thread stands still within; a signal alone lets them run on until it reaches them."""
        self.signal(signal.SIGSTOP)
        try:
            deadline = time.monotonic() + 10
            while not all(state == "T" for state in self._states()):
                if time.monotonic() > deadline:
                    raise ServerFailed("the server does not stand still")
                time.sleep(0.0005)  # nothing tells when a process that is not ours to wait for has stopped
            yield
        finally:
            self.signal(signal.SIGCONT)

    def _states(self):
        for path in glob.glob("/proc/%d/task/*/stat" % self.pid):
            with contextlib.suppress(OSError), open(path) as f:
                yield f.read().rpartition(")")[2].split()[0]

    def wait(self, timeout):
        """The exit status; a negative one names the signal."""
        try:
            self.status = self.proc.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ServerFailed("the server does not end within %.1f s\n%s" %
                               (timeout, threads_of(self.pid))) from None
        return self.status

    def stop(self, timeout=None):
        """Ends it as an operator would; anything but a clean exit is a failure."""
        if self.proc is None or self.status is not None:
            return
        if not self.alive():
            raise ServerFailed("the server died, status %s" % self.wait(1))
        self.signal(signal.SIGTERM)
        clean = (0, -signal.SIGTERM) if self.kind == "coturn" else (0,)
        if self.wait(timeout or 10 * self.scale) not in clean:
            raise ServerFailed("exit status %s after SIGTERM" % self.status)
        self.check_log()

    def check_log(self):
        found = REPORT.search(self.log())
        if found:
            raise ServerFailed("the log holds a report: " + found.group(0))

    def kill(self):
        """Whatever happened before, nothing is left running."""
        if self.alive():
            self.proc.kill()
            self.proc.wait()

    def log(self):
        try:
            with open(self.log_path, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, timeout):
        """Waits until the log holds a match."""
        deadline = time.monotonic() + timeout * self.scale
        while not re.search(pattern, self.log()):
            if time.monotonic() > deadline:
                raise AssertionError("the log never says /%s/" % pattern)
            select.select([self.pidfd], [], [], 0.05)

    def n_fds(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def rss_kib(self, most=False):
        """What it has of memory, or the most that it ever had."""
        with open("/proc/%d/status" % self.pid) as f:
            return int(re.search(r"Vm%s:\s*(\d+)" % ("HWM" if most else "RSS"), f.read()).group(1))
