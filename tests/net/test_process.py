"""The process: start, signals, files, limits, and what it says."""
import json
import os
import pwd
import re
import resource
import select
import signal
import socket
import threading
import time

import lab
from harness import Skip, check, equal, minted, test
from turnclient import ALLOCATE, UDP

NOT_THERE = "has no such thing"
SECRET = "sEcReT-oF-tHiS-tEsT"


def relaying(t, **conf):
    """A server, and one session that relays."""
    s = t.server(**conf)
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4000, *peer.getsockname())
    return s, c, peer


@test("SIGTERM and SIGINT in the midst of traffic: exit status 0 within 2 s", not_coturn="dies of them")
def ends_on_signals(t):
    for sig in (signal.SIGTERM, signal.SIGINT):
        s, c, peer = relaying(t)
        stop = threading.Event()

        def pump():
            while not stop.is_set():
                try:
                    for _ in range(20):
                        c.send_channel(0x4000, bytes(1000))
                        peer.sendto(bytes(1000), c.relayed)
                    select.select([], [], [], 0.002)
                except OSError:
                    return
        thread = threading.Thread(target=pump)
        thread.start()
        try:
            for _ in range(100):
                peer.recv(2000)
            s.signal(sig)
            equal(s.wait(2 * t.scale), 0, "exit status")
        finally:
            stop.set()
            thread.join()
        s.check_log()
        t.clients.remove(c)
        c.close()


def without_events(t, thread, says, **conf):
    """The kernel refuses events to one thread: a server starts twice the same way, so the descriptor that the first
    one's thread waits at is the second one's too."""
    if not lab.EPOLL_WAITS:
        raise Skip("system calls of this architecture are not known here")
    first = t.server(relay_threads=1, **conf)
    try:
        epoll = t.until(lambda: first.epoll_of(thread), "%s waits for events" % thread)
    except PermissionError:
        raise Skip("what threads wait for is not told here") from None
    first.stop()
    s = t.bare_server()
    s.spawn(["-c", first.path], prepare_more=lambda: lab.no_events_at(epoll))
    equal(s.wait(10 * t.scale), 1, "exit status")
    s.check_log()
    check(re.search(says, s.log()), "the log never says /%s/", says)


@test("a worker that gets no events any more says so, and the server ends with status 1", not_coturn=NOT_THERE)
def worker_fails(t):
    without_events(t, "worker-0", r"ERROR worker_failed worker=0 reason=event_loop note=")


@test("a store thread that gets no events any more says so, and the server ends with status 1",
      not_coturn=NOT_THERE)
def store_fails(t):
    without_events(t, "store", r"ERROR store_failed reason=event_loop note=", user_byte_quota=1 << 30)


@test("a second server on the same port is refused with a clear line", not_coturn="shares the port")
def second_server(t):
    first = t.server()
    second = t.bare_server()
    second.spawn(["-c", first.path])
    check(second.wait(5 * t.scale) != 0, "exit status 0")
    check(re.search(r"(?i)3478.*in use|in use.*3478", second.log()), "no line says that 3478 is in use")
    second.check_log()
    t.client().allocate()


@test("an address that this host does not have is refused by name", not_coturn=NOT_THERE)
def strange_address(t):
    s = t.bare_server()
    s.spawn(["-c", s.write_config(dict(s.DEFAULTS, **{"listening-ip": "10.99.99.99"}))])
    check(s.wait(5 * t.scale) != 0, "exit status 0")
    check("10.99.99.99" in s.log(), "the log does not name the address")
    s.check_log()


def check_config(t, lines, *args):
    s = t.bare_server()
    with open(s.path, "w") as f:
        f.write("\n".join(lines) + "\n")
    s.spawn(["--check-config", "-c", s.path, *args])
    status = s.wait(5 * t.scale)
    s.check_log()
    return status, s.log()


@test("--check-config tells all errors with their lines, status 1; and is content with a good file",
      not_coturn=NOT_THERE)
def config_errors(t):
    good = ["# a comment", "listening-ip=" + lab.SRV, "realm=example.org", "user=a:b", "min-port=50000"]
    status, text = check_config(t, good)
    equal(status, 0, "exit status for a good file")
    bad = ["listening-port=70000", "no-such-option=1", "realm=example.org", "user=a:b", "min-port=abc",
           "denied-peer-ip=10.0.0.0/33", "relay-ip=not-an-address", "user=nocolon"]
    status, text = check_config(t, bad)
    equal(status, 1, "exit status for a bad file")
    for n in (1, 2, 5, 6, 7, 8):
        check(re.search(r"\.conf:%d:" % n, text), "no message about line %d", n)
    for n in (3, 4):
        check(not re.search(r"\.conf:%d:" % n, text), "a message about line %d", n)
    for name in ("listening-port", "no-such-option", "min-port", "denied-peer-ip", "relay-ip"):
        check(name in text, "no message names " + name)
    check("nocolon" not in text.replace("user=nocolon", ""), "the message repeats what may be a secret")


@test("--check-config warns of each address that this host does not have, by its option, beside a running server too",
      not_coturn=NOT_THERE)
def config_addresses(t):
    t.server()
    base = ["listening-ip=" + lab.SRV, "realm=example.org", "user=a:b"]
    strange = ["10.99.99.98", "10.99.99.99", "2001:db8:99::1"]
    for lines, warned in (([], []),
                          (["relay-ip=" + lab.SRV], []),
                          (["relay-ip=" + strange[0], "relay-ip=" + lab.SRV, "relay-ip=" + strange[2]],
                           [("relay-ip", strange[0]), ("relay-ip", strange[2])]),
                          (["listening-ip=" + strange[1]], [("listening-ip", strange[1])]),
                          (["external-ip=203.0.113.1/" + strange[0]], [("external-ip", strange[0])]),
                          (["http-port=9641", "http-address=" + strange[1], "http-token=read:sixteen-or-more-bytes"],
                           [("http-address", strange[1])]),
                          (["stun-only", "relay-ip=" + strange[0]], [])):
        status, text = check_config(t, base + lines)
        equal(status, 0, "exit status for %s: %s" % (lines, text))
        check("is good" in text, "%s: %s", lines, text)
        said = re.findall(r"warning: ([a-z-]+): this host has no address (\S+);", text)
        equal(said, warned, "what is warned of with %s: %s" % (lines, text))


@test("--check-config: rules between options", not_coturn=NOT_THERE)
def config_rules(t):
    base = ["listening-ip=" + lab.SRV, "realm=example.org", "user=a:b"]
    for lines, named in ((["min-port=50000", "max-port=49999"], "max-port|min-port"),
                         (["lt-cred-mech", "no-auth"], "no-auth")):
        status, text = check_config(t, base + lines)
        check(status == 1 and re.search(named, text), "status %d for %s: %s" % (status, lines, text))


@test("the command line wins over the file; an unknown option of it is refused")
def command_line(t):
    s = t.bare_server()
    s.write_config(dict(s.DEFAULTS, **{"listening-port": 3478}))
    s.spawn(["-c", s.path, "--listening-port", "3479"])
    c = t.client(server=(lab.SRV, 3479))
    t.until(c.serving, "an answer on the port of the command line", timeout=10)
    other = t.bare_server()
    other.spawn(["-c", s.path, "--no-such-option"])
    check(other.wait(5 * t.scale) != 0, "exit status 0 for an unknown option")


@test("--help and --version say so and end with 0", not_coturn="ends with another status")
def help_and_version(t):
    for arg, text in (("--help", "--listening-port"), ("--version", "taciturn")):
        s = t.bare_server()
        s.spawn([arg])
        equal(s.wait(5 * t.scale), 0, "exit status of " + arg)
        check(text in s.log(), "%s does not say %s", arg, text)


@test("secrets, passwords and nonces are in no log, even a verbose one", not_coturn="logs them")
def no_secrets_in_log(t):
    s = t.server(verbose=True, use_auth_secret=True, static_auth_secret=SECRET,
                 user=["alice:wonderland-of-a-password", "hexa:0x00112233445566778899aabbccddeeff"])
    name, password = minted(SECRET, "carol")
    nonces, codes = [], []
    for user, pw in (("alice", "wonderland-of-a-password"), (name, password), ("alice", "a-wrong-password"),
                     ("nobody-at-all", "another-password"), (minted(SECRET, "carol", -5)[0], "x-y-z-password")):
        c = t.client(user=user, password=pw)
        codes.append(c.request(ALLOCATE, [UDP]).code)
        if codes[-1] == 0:
            c.permit(lab.PEER)
            c.refresh(0)
        nonces.append(c.nonce.decode())
    equal(codes, [0, 0, 401, 401, 401], "codes")
    s.stop()
    text = s.log()
    check(len(text) > 200, "a verbose log of %d bytes", len(text))
    for secret in (SECRET, "wonderland-of-a-password", password, "a-wrong-password", "another-password",
                   "x-y-z-password", "00112233445566778899aabbccddeeff", *nonces):
        check(secret.lower() not in text.lower(), "the log holds %r", secret)


@test("a user name cannot write lines of its own into the log", not_coturn=NOT_THERE)
def log_injection(t):
    s = t.server(verbose=True)
    c = t.client(user="x\nevent=forged level=error\r\n\x1b[31m\"", password="y")
    c.challenge()
    check(c.ask(c.signed(ALLOCATE, [UDP])).code in (400, 401), "the name is taken")
    s.stop()
    check(not re.search(r"^event=forged", s.log(), re.M), "a forged line")
    check("\x1b" not in s.log() and "\r" not in s.log(), "control characters")


@test("a secret of the command line is not in the process title", not_coturn=NOT_THERE)
def no_secrets_in_title(t):
    s = t.bare_server()
    s.start({"user": None}, args=["--static-auth-secret", SECRET, "--user=carol:" + SECRET])
    name, password = minted(SECRET)
    t.client(user=name, password=password).allocate()
    with open("/proc/%d/cmdline" % s.pid, "rb") as f:
        check(SECRET.encode() not in f.read(), "the secret is in the command line")


@test("log-format=json: every line is an object with an event", not_coturn=NOT_THERE)
def json_log(t):
    s = t.server(log_format="json", verbose=True)
    c = t.client(user="bob\"\\\n", password="x")
    c.challenge()
    c.ask(c.signed(ALLOCATE, [UDP]))
    c = t.client()
    c.allocate()
    c.refresh(0)
    s.stop()
    lines = [json.loads(line) for line in s.log().splitlines()]
    check(len(lines) >= 3 and all("event" in x for x in lines), "lines: %s", lines)


@test("the log tells a session's beginning and end with its user and reason", not_coturn=NOT_THERE)
def session_lines(t):
    s = t.server()
    c = t.client()
    c.allocate()
    relayed = "%s:%d" % c.relayed
    s.wait_log(r"alice.*%s|%s.*alice" % (re.escape(relayed), re.escape(relayed)), 5)
    seen = len(s.log())
    c.refresh(0)
    s.wait_log(r"(?s)^.{%d}.*(why|reason)=" % seen, 5)
    check("session=" in s.log(), "no session id")


@test("pidfile: there while it runs, gone afterwards")
def pidfile(t):
    path = os.path.join(t.dir, "the.pid")
    s = t.server(pidfile=path)
    with open(path) as f:
        equal(int(f.read().split()[0]), s.pid, "pid in the file")
    s.stop()
    if t.kind == "taciturn":
        check(not os.path.exists(path), "the file is still there")


@test("SIGHUP: the log goes on in a new file of its name")
def reopens_log(t):
    path = os.path.join(t.dir, "taciturn.log")
    s = t.server(log_file=path)
    t.until(lambda: os.path.exists(path) and os.path.getsize(path), "a line in the log")
    os.rename(path, path + ".1")
    s.signal(signal.SIGHUP)
    t.until(lambda: os.path.exists(path), "a new file")
    c = t.client()
    c.allocate()
    c.refresh(0)
    s.stop()
    check(os.path.getsize(path) > 0, "nothing in the new file")


@test("proc-user: it runs as that user and relays")
def drops_root(t):
    os.chmod(t.dir, 0o755)
    s, c, peer = relaying(t, proc_user="nobody", listening_port=3478)
    with open("/proc/%d/status" % s.pid) as f:
        status = f.read()
    uids = re.search(r"^Uid:\s*(.*)$", status, re.M).group(1).split()
    check(set(uids) == {uids[0]} and uids[0] != "0", "uids %s", uids)
    c.send_channel(0x4000, b"as nobody")
    equal(peer.recv(100), b"as nobody", "what the peer got")
    t.client().allocate()


def log_of_nobody(t, directory_is_nobodys):
    """A server as nobody with its log in a directory; the session of relaying() is in the log."""
    nobody = pwd.getpwnam("nobody")
    home = os.path.join(t.dir, "home")
    os.mkdir(home, 0o755)
    if directory_is_nobodys:
        os.chown(home, nobody.pw_uid, nobody.pw_gid)
    path, pid = os.path.join(home, "taciturn.log"), os.path.join(home, "pid")
    s, _, _ = relaying(t, proc_user="nobody", log_file=path, pidfile=pid)
    t.until(lambda: "alloc_open" in text_of(path), "the session in the log")
    equal(os.stat(path).st_uid, nobody.pw_uid, "owner of the log")
    return s, path, pid, nobody


def text_of(path):
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return ""


@test("proc-user: SIGHUP opens the renamed log again, in a directory of that user; the pidfile goes",
      not_coturn=NOT_THERE)
def reopens_log_as_user(t):
    s, path, pid, _ = log_of_nobody(t, True)
    os.rename(path, path + ".1")
    s.signal(signal.SIGHUP)
    t.until(lambda: os.path.exists(path), "a new file")
    t.client().allocate()
    t.until(lambda: "alloc_open" in text_of(path), "the next session in the new file")
    s.stop()
    check(not os.path.exists(pid), "the pidfile is still there")


@test("proc-user: in a directory of root's the log goes on in the file that logrotate creates, or in the old "
      "one with a complaint; the pidfile is emptied", not_coturn=NOT_THERE)
def reopens_log_in_roots_directory(t):
    s, path, pid, nobody = log_of_nobody(t, False)
    old = path + ".1"
    os.rename(path, old)
    s.signal(signal.SIGHUP)
    t.until(lambda: "log_reopen_failed" in text_of(old), "the complaint in the old file")
    check("logrotate" in s.log(), "the complaint does not say what to do")
    t.client().allocate()
    t.until(lambda: text_of(old).count("alloc_open") == 2, "the next session in the old file")
    os.close(os.open(path + ".new", os.O_CREAT | os.O_WRONLY, 0o640))
    os.chown(path + ".new", nobody.pw_uid, nobody.pw_gid)
    os.rename(path + ".new", path)
    s.signal(signal.SIGHUP)
    opened = os.stat(path)
    t.until(lambda: any(os.path.samestat(opened, x) for x in open_files(s.pid)), "the created file is open")
    t.client().allocate()
    t.until(lambda: "alloc_open" in text_of(path), "the next session in the created file")
    s.stop()
    equal(text_of(pid), "", "what the pidfile holds")


def open_files(pid):
    """What the process has open now; a descriptor may be closed while this looks."""
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            yield os.stat("/proc/%d/fd/%s" % (pid, fd))
        except FileNotFoundError:
            pass


@test("proc-user: only a file of the log's own is given to that user, nothing behind a link",
      not_coturn=NOT_THERE)
def gives_no_links_away(t):
    for link in (os.symlink, os.link):
        path, victim = (os.path.join(t.dir, link.__name__ + end) for end in (".log", ".victim"))
        with open(victim, "w"):
            pass
        link(victim, path)
        s = t.server(proc_user="nobody", log_file=path)
        t.until(lambda: "started" in text_of(path), "a line in the log")
        equal(os.stat(victim).st_uid, 0, "owner of the other file")
        s.stop()


@test("READY=1 and STOPPING=1 go to NOTIFY_SOCKET", not_coturn="says READY=1 at once")
def notifies(t):
    path = os.path.join(t.dir, "notify")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    os.chmod(path, 0o777)
    sock.settimeout(5 * t.scale)
    s = t.bare_server()
    s.start(env={"NOTIFY_SOCKET": path})
    check(b"READY=1" in sock.recv(4096), "the first message is not READY=1")
    s.stop()
    said = b""
    while b"STOPPING=1" not in said:
        said = sock.recv(4096)


@test("daemon: in the background, with a pidfile", not_coturn="has its own way")
def daemon(t):
    path = os.path.join(t.dir, "daemon.pid")
    s = t.bare_server()
    s.write_config(dict(s.DEFAULTS, **{"daemon": True, "pidfile": path,
                                       "log-file": os.path.join(t.dir, "daemon.log")}))
    s.spawn(["-c", s.path])
    equal(s.wait(10 * t.scale), 0, "exit status of what was started")
    c = t.client()
    t.until(c.serving, "an answer", timeout=10)
    with open(path) as f:
        pidfd = os.pidfd_open(int(f.read().split()[0]))
    signal.pidfd_send_signal(pidfd, signal.SIGTERM)
    check(select.select([pidfd], [], [], 5 * t.scale)[0], "it does not end")
    check(not os.path.exists(path), "the pidfile is still there")


@test("no descriptors left: 508, the others go on, and it recovers")
def out_of_descriptors(t):
    s, c, peer = relaying(t)
    highest = max(int(fd) for fd in os.listdir("/proc/%d/fd" % s.pid))
    resource.prlimit(s.pid, resource.RLIMIT_NOFILE, (highest + 6, highest + 6))
    held = []
    for _ in range(200):
        x = t.client()
        code = x.request(ALLOCATE, [UDP]).code
        if code != 0:
            break
        held.append(x)
    equal(code, 508, "code when there are none left")
    check(held, "not even one more")
    for n in range(20):
        t.client().request(ALLOCATE, [UDP])
        c.send_channel(0x4000, b"%d" % n)
        equal(peer.recv(100), b"%d" % n, "what the peer got")
    held[0].refresh(0)
    t.until(lambda: t.client().request(ALLOCATE, [UDP]).code == 0, "an allocation after one was given back")
    size = len(s.log())
    for _ in range(300):
        t.client().request(ALLOCATE, [UDP])
    check(len(s.log()) - size < 20000, "300 refusals made %d bytes of log", len(s.log()) - size)


@test("the peer's side goes away and comes back: the session lives", not_coturn="ends it")
def link_flaps(t):
    s, c, peer = relaying(t)
    t.lab.srv.ip("link", "set", "s1", "down")
    for _ in range(10):
        c.send_channel(0x4000, b"lost")
    c.refresh()
    t.lab.srv.ip("link", "set", "s1", "up")
    t.lab.srv.wait_up("s1", 10)
    deadline = time.monotonic() + 10 * t.scale
    peer.settimeout(0.2)
    while True:
        check(time.monotonic() < deadline, "nothing passes after the link came back")
        c.send_channel(0x4000, b"again")
        try:
            if peer.recv(100) == b"again":
                return
        except TimeoutError:
            pass
