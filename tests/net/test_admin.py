"""The stats port: who may do what, sessions, draining, events, minted credentials, bad input."""
import gzip
import os
import select
import signal
import socket
import time

import lab
from harness import check, equal, test
from statsport import CONF, PORT, TOKENS, Events, StatsPort, tls_context
from test_quality import rtp
from turnclient import Client

OURS = "it has no such port"

# method, path, the roles that may, the status for those
ROUTES = [
    ("GET", "/api/v1/status", {"read", "admin"}, 200),
    ("GET", "/api/v1/sessions", {"read", "admin"}, 200),
    ("GET", "/api/v1/sessions/nobody", {"read", "admin"}, 404),
    ("DELETE", "/api/v1/sessions/nobody", {"admin"}, 404),
    ("GET", "/api/v1/users/alice", {"read", "admin"}, 200),
    ("PUT", "/api/v1/users/alice/quota", {"admin"}, 400),
    ("POST", "/api/v1/reload", {"admin"}, 200),
    ("POST", "/api/v1/credentials", {"mint", "admin"}, 400),
    ("DELETE", "/api/v1/credentials/alice", {"admin"}, 200),
    ("GET", "/turn?service=turn&username=x", {"mint", "admin"}, 200),
    ("GET", "/metrics", {"read", "admin"}, 200),
]


def served(t, **conf):
    more = dict(CONF, **{"static-auth-secret": "s3cret"})
    more.update({k.replace("_", "-"): v for k, v in conf.items()})
    return t.server(**{k.replace("-", "_"): v for k, v in more.items()})


def problem(a, status, what):
    equal(a.status, status, what)
    equal(a.type, "application/problem+json", "type of " + what)
    equal(a.json()["status"], status, "status inside of " + what)


@test("every path: no token, a wrong one, the wrong role, the wrong method", not_coturn=OURS)
def rights(t):
    served(t)
    p = StatsPort(t)
    for method, path, roles, status in ROUTES:
        what = "%s %s" % (method, path)
        a = p.ask(method, path, token="")
        problem(a, 401, what + " without a token")
        equal(a.headers["WWW-Authenticate"], "Bearer", "challenge")
        for wrong in (TOKENS["admin"][:-1], TOKENS["admin"] + "x", "x" * 21, "x" * 2000):
            problem(p.ask(method, path, token=wrong), 401, what + " with a wrong token")
        for role, token in TOKENS.items():
            a = p.ask(method, path, token=token)
            if role in roles:
                equal(a.status, status, "%s as %s" % (what, role))
            else:
                problem(a, 403, "%s as %s" % (what, role))
        a = p.ask("PATCH", path)
        problem(a, 405, "PATCH " + path)
        check(method in a.headers["Allow"], "Allow of %s: %s", path, a.headers["Allow"])
    for path in ("/healthz", "/readyz", "/"):
        equal(p.get(path, token="").status, 200, path)
        equal(p.ask("HEAD", path, token="").body, b"", "HEAD " + path)
    problem(p.ask("POST", "/healthz"), 405, "POST /healthz")
    equal(p.ask("HEAD", "/api/v1/events").status, 405, "HEAD of the events")


@test("without tokens there is no interface; metrics are open on loopback alone", not_coturn=OURS)
def closed(t):
    t.server(http_address="127.0.0.1", http_port=PORT)
    p = StatsPort(t, role=None, ns=t.lab.srv, address="127.0.0.1")
    for method, path, _, _ in ROUTES[:-1]:
        problem(p.ask(method, path), 404, path)
    equal(p.get("/metrics").status, 200, "metrics")
    equal(p.get("/healthz").json(), {"status": "ok"}, "health")


@test("paths that mean another place, broken encodings and bodies are refused", not_coturn=OURS)
def tricks(t):
    served(t)
    p = StatsPort(t)
    for path in ("/../etc/passwd", "/%2e%2e/etc/passwd", "//metrics", "/metrics/", "/api/v1/../v1/status",
                 "/api/v1/sessions/", "/api/v1/sessions/..", "/api/v1/users//quota", "/api/v1/status/x",
                 "/api/v1/sessions/a/b", "/index.html/", "/assets/index.html", "/%6detrics", "/api/v2/status"):
        problem(p.get(path), 404, path)
    for path in ("/api/v1/users/%", "/api/v1/users/%zz", "/api/v1/users/%00", "/api/v1/sessions?limit=1&limit=2",
                 "/api/v1/sessions?user=%", "/api/v1/sessions?nonsense=1", "/api/v1/sessions?limit=0",
                 "/api/v1/sessions?limit=1001", "/api/v1/sessions?limit=-1", "/api/v1/sessions?cursor=x",
                 "/api/v1/sessions?client=nowhere", "/api/v1/sessions?transport=quic",
                 "/api/v1/sessions?state=gone", "/turn?service=other&username=a", "/turn",
                 "/turn?service=turn&ttl=86401", "/turn?service=turn&ttl=1x", "/api/v1/users/" + "x" * 1025):
        problem(p.get(path), 400, path)
    equal(p.get("/api/v1/users/a%2Fb").json()["user"], "a/b", "a user's name with a slash")
    for body in ("", "{", "[]", "null", '{"user":1}', '{"ttl":"1"}', '{"ttl":1.5}', '{"ttl":0}', '{"ttl":86401}',
                 '{"user":"a","user":"b"}', "[" * 10000, b"\xff\xfe", '{"user":"%s"}' % ("x" * 257),
                 '{"user":"\\n"}'):
        problem(p.ask("POST", "/api/v1/credentials", body), 400, "body %r" % body[:30])
    problem(p.ask("POST", "/api/v1/drain", '{"drain":"yes"}'), 400, "a word for a flag")
    problem(p.ask("POST", "/api/v1/credentials", "x" * 20000), 413, "a large body")
    chunked = p.raw(b"POST /api/v1/credentials HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                    + TOKENS["admin"].encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + b"4000\r\n" + b"x" * 0x4000 + b"\r\n10\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n", timeout=3)
    check(b" 413 " in chunked.split(b"\r\n")[0], "a large body in chunks: %r", chunked[:60])
    for junk in (b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"x" * 40000 + b"\r\n\r\n",
                 b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10000 + b"\r\n"):
        check(b" 200 " not in p.raw(junk, timeout=2)[:20], "junk is answered with 200: %r", junk[:20])
    equal(p.get("/healthz").status, 200, "it goes on")


@test("the page: ETag, gzip, a strict policy; a connection is kept", not_coturn=OURS)
def page(t):
    served(t)
    p = StatsPort(t, role=None)
    a = p.get("/")
    check(p.conn is not None, "the connection is closed after the page")
    check("script-src 'self'" in a.headers["Content-Security-Policy"], "no policy")
    equal(p.get("/index.html").body, a.body, "/ and /index.html")
    packed = p.get("/", headers={"Accept-Encoding": "gzip, br"})
    equal(packed.headers["Content-Encoding"], "gzip", "encoding")
    equal(gzip.decompress(packed.body), a.body, "what was packed")
    same = p.get("/", headers={"If-None-Match": a.headers["ETag"]})
    equal((same.status, same.body), (304, b""), "the same page again")


@test("sessions appear, are filtered, paged and ended; their clients notice", timeout=60, not_coturn=OURS)
def sessions(t):
    served(t)
    p = StatsPort(t)
    clients = [t.client() for _ in range(4)]
    for c in clients:
        c.allocate()
    bob = t.client(user="bob", password="builder")
    bob.allocate()
    tcp = t.stream()
    tcp.allocate()
    peer = t.peer()
    clients[0].permit(lab.PEER)
    clients[0].bind(0x4001, *peer.getsockname())
    for _ in range(3):
        clients[0].send_channel(0x4001, b"x" * 100)
        peer.recv(200)
    all_of_them = p.sessions()
    equal(all_of_them["matched"], 6, "sessions")
    equal(p.sessions("?user=bob")["matched"], 1, "bob's")
    equal(p.sessions("?transport=tcp")["sessions"][0]["transport"], "tcp", "over TCP")
    equal(p.sessions("?state=relaying")["matched"], 1, "those that relay")
    equal(p.sessions("?state=open")["matched"], 5, "those that do not")
    equal(p.sessions("?client=" + lab.CLI)["matched"], 6, "of the client's address")
    equal(p.sessions("?client=203.0.113.0/24")["matched"], 0, "of another address")
    equal(p.sessions("?realm=other")["matched"], 0, "of another realm")
    seen, cursor = [], ""
    while cursor is not None:
        page = p.sessions("?limit=2" + ("&cursor=" + cursor if cursor else ""))
        seen += [s["id"] for s in page["sessions"]]
        cursor = page["next"]
    equal(seen, [s["id"] for s in all_of_them["sessions"]], "the pages together")
    busy = p.sessions("?state=relaying")["sessions"][0]
    equal(busy["up"], {"packets": 3, "bytes": 300}, "what it relayed")
    one = p.get("/api/v1/sessions/" + busy["id"]).json()
    equal(one["peers"][0]["channel"], 0x4001, "its channel")
    equal(one["peers"][0]["address"], "%s:%d" % peer.getsockname(), "its peer")
    user = p.get("/api/v1/users/alice").json()
    equal((user["sessions"], user["up"]["bytes"]), (5, 300), "alice's sums")

    problem(p.ask("DELETE", "/api/v1/sessions/" + busy["id"], token=TOKENS["read"]), 403, "with read")
    equal(p.ask("DELETE", "/api/v1/sessions/" + busy["id"]).json(), {"ended": busy["id"]}, "the end")
    problem(p.ask("DELETE", "/api/v1/sessions/" + busy["id"]), 404, "once more")
    clients[0].refresh(code=437)
    of_tcp = p.sessions("?transport=tcp")["sessions"][0]["id"]
    equal(p.ask("DELETE", "/api/v1/sessions/" + of_tcp).status, 200, "the end of the one over TCP")
    tcp.await_end()
    equal(p.sessions()["matched"], 4, "what is left")
    t.servers[0].wait_log(r"session_end session=%s .*reason=admin" % busy["id"].replace(".", r"\."), 5)
    clients[0].allocate()  # it may come again
    equal(p.get("/api/v1/status").json()["sessions"]["now"], 5, "sessions in the status")


def cpu_s(server):
    with open("/proc/%d/stat" % server.pid) as f:
        return sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:13]) / os.sysconf("SC_CLK_TCK")


@test("1,000 sessions are listed at once, in order, quickly", timeout=120, not_coturn=OURS)
def thousand(t):
    s = served(t, user_quota=0)
    p = StatsPort(t)
    clients = []
    for _ in range(1000):
        c = Client(t.lab.cli.udp(lab.CLI, connect=(lab.SRV, 3478)), "alice", "wonderland", scale=t.scale)
        if clients:
            c.realm, c.nonce = clients[0].realm, clients[0].nonce
        c.allocate()
        clients.append(c)
    p.sessions("?limit=1000")
    best, n, before = 9.0, 20, cpu_s(s)
    for _ in range(n):
        begun = time.monotonic()
        a = p.get("/api/v1/sessions?limit=1000")
        best = min(best, time.monotonic() - begun)
    cost = (cpu_s(s) - before) / n
    rows = a.json()["sessions"]
    numbers = [int(r["id"].rsplit(".", 1)[1]) for r in rows]
    equal((len(rows), a.json()["next"] is None or len(rows) == 1000), (1000, True), "rows")
    equal(numbers, sorted(numbers), "order")
    print("# 1,000 sessions listed in %.1f ms, %.1f ms of processor time" % (best * 1000, cost * 1000))
    # on a machine that does nothing else the time is less than that, too
    check(cost < 0.05 * t.scale and best < 0.25 * t.scale, "1,000 sessions take %.3f s, %.3f s of processor time",
          best, cost)
    check(s.alive(), "it died")
    for c in clients:
        c.close()


@test("draining: new sessions get 508, old ones go on, /readyz says so; it can be taken back, or ends the server",
      timeout=60, not_coturn=OURS)
def drain(t):
    s = served(t)
    p = StatsPort(t)
    old = t.client()
    old.allocate()
    a = p.ask("POST", "/api/v1/drain", {"exit": False}).json()
    equal(a, {"state": "draining", "exit": False, "sessions": 1}, "the answer")
    problem_free = p.get("/readyz")
    equal((problem_free.status, problem_free.json()), (503, {"status": "draining"}), "readiness")
    equal(p.get("/healthz").status, 200, "health")
    t.client().allocate(code=508)
    old.refresh()
    p.ask("POST", "/api/v1/drain", {"drain": False})
    equal(p.get("/readyz").status, 200, "ready again")
    t.until(lambda: t.client().allocate() or True, "sessions again", 5)
    old.refresh(seconds=0)
    p.ask("POST", "/api/v1/drain")
    for one in p.sessions()["sessions"]:
        p.ask("DELETE", "/api/v1/sessions/" + one["id"])
    equal(s.wait(10 * t.scale), 0, "exit status when the last session is gone")
    check("drained sessions=0" in s.log(), "the log does not say so")


@test("SIGUSR1 drains, down to drain-min-allocations", timeout=60, not_coturn=OURS)
def drain_by_signal(t):
    s = t.server(drain_min_allocations=1)
    one, two = t.client(), t.client()
    one.allocate()
    two.allocate()
    s.signal(signal.SIGUSR1)
    s.wait_log("draining reason=SIGUSR1 exit=yes sessions=2", 5)
    t.client().allocate(code=508)
    check(s.alive(), "it ended with two sessions")
    one.refresh(seconds=0)
    equal(s.wait(10 * t.scale), 0, "exit status")


@test("minted credentials allocate; their form is that of the draft and of iceServers", not_coturn=OURS)
def mint(t):
    served(t, turn_uri=["turn:turn.example.org", "turns:turn.example.org:443?transport=tcp"])
    p = StatsPort(t, role="mint")
    a = p.ask("POST", "/api/v1/credentials", {"user": "carol", "ttl": 60}).json()
    equal(a["iceServers"][0]["urls"][1], "turns:turn.example.org:443?transport=tcp", "URI")
    check(abs(int(a["username"].split(":")[0]) - time.time() - 60) < 30, "expiry of %s", a["username"])
    t.client(user=a["username"], password=a["credential"]).allocate()
    b = p.get("/turn?service=turn&username=dave&ttl=60").json()
    equal((b["ttl"], len(b["uris"])), (60, 2), "ttl, uris")
    t.client(user=b["username"], password=b["password"]).allocate()
    equal(StatsPort(t).sessions("?user=carol")["matched"], 1, "carol's session")
    t.servers[0].stop()
    served(t, static_auth_secret=None)
    problem(StatsPort(t, role="mint").ask("POST", "/api/v1/credentials", {}), 409, "without a secret")


@test("events: sessions as they open and end, totals, the state", timeout=60, not_coturn=OURS)
def events(t):
    served(t)
    e = Events(StatsPort(t, role="read"))
    equal(e.next()[0], "hello", "the first event")
    e.wait("totals")
    c = t.client()
    c.allocate()
    opened = e.wait("opened")
    equal((opened["user"], opened["transport"]), ("alice", "udp"), "who opened")
    c.refresh(seconds=0)
    ended = e.wait("ended")
    equal((ended["id"], ended["reason"]), (opened["id"], "deleted"), "who ended")
    p = StatsPort(t)
    p.ask("POST", "/api/v1/drain", {"exit": False})
    equal(e.wait("state"), {"state": "draining"}, "the state")
    equal(e.wait("totals")["state"], "draining", "state in the totals")
    e.close()
    t.until(lambda: p.get("/api/v1/status").json()["streams"]["now"] == 0, "the stream is forgotten", 30)


@test("1,000 event streams: those beyond the bound get 503, and the server goes on", timeout=120, not_coturn=OURS)
def many_streams(t):
    s = served(t)
    p = StatsPort(t)
    before = s.n_fds()
    streams, refused = [], 0
    for _ in range(1000):
        e = Events(p)
        if e.status == 200:
            streams.append(e)
        else:
            equal(e.status, 503, "status beyond the bound")
            check(e.response.headers["Retry-After"], "no Retry-After")
            refused += 1
            e.close()
    equal((len(streams), refused), (32, 968), "streams, refused")
    c = t.client()
    c.allocate()
    equal(streams[-1].wait("opened")["user"], "alice", "who opened")
    for e in streams:
        e.close()
    t.until(lambda: s.n_fds() <= before + 8, "the descriptors come back", 30)


@test("a reader that does not read, and requests that never end, are cut off; others are served",
      timeout=120, not_coturn=OURS)
def slow_readers(t):
    s = served(t)
    p = StatsPort(t)
    head = ("GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + TOKENS["admin"] + "\r\n")
    halves = []
    for _ in range(50):
        sock = p.socket()
        sock.sendall((head % "/metrics").encode())  # and no end
        halves.append(sock)
    stuck = p.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stuck.sendall((head % "/metrics" + "\r\n").encode() * 200)  # and reads nothing
    begun = time.monotonic()
    equal(p.get("/healthz").status, 200, "another's request")
    check(time.monotonic() - begun < 5 * t.scale, "another waits too long")
    c = t.client()
    c.allocate()
    poll = select.poll()
    for sock in halves:
        poll.register(sock, select.POLLIN)
    closed = set()
    t.until(lambda: closed.update(fd for fd, _ in poll.poll(500)) or len(closed) == 50,
            "requests without an end are closed", 40)
    t.until(lambda: s.n_fds() < 60, "the stuck reader is closed", 40)
    c.refresh()


@test("HTTPS with http-cert; a port in use is one clear line; a file of tokens", timeout=60, not_coturn=OURS)
def https(t):
    cert, key = t.certificate()
    path = os.path.join(t.dir, "tokens")
    with open(path, "w") as f:
        f.write("# who may\nread:%s\nadmin:%s\n" % (TOKENS["read"], TOKENS["admin"]))
    t.server(http_address=lab.SRV, http_port=PORT, http_token_file=path, http_cert=cert, http_pkey=key)
    p = StatsPort(t, context=tls_context(cert))
    equal(p.get("/api/v1/status").json()["state"], "serving", "state")
    e = Events(p)
    equal(e.next()[0], "hello", "an event over TLS")
    e.wait("totals")
    e.close()
    other = t.bare_server("other")
    other.write_config(dict(other.DEFAULTS, **dict(CONF, **{"listening-port": 4478})))
    other.spawn(["-c", other.path])
    check(other.wait(10 * t.scale) != 0, "a second server starts")
    check("cannot serve the stats port at %s:%d: Address already in use: another program has it; set http-port"
          % (lab.SRV, PORT) in other.log(), "the log does not say why: %s", other.log())
    t.servers.remove(other)


@test("the last hour: what was relayed in each ten seconds, and the sessions then", timeout=60, not_coturn=OURS)
def history(t):
    served(t, relay_threads=1)
    p = StatsPort(t, role="read")
    equal(p.get("/api/v1/history").json()["at"], [], "before the first sample")
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4001, *peer.getsockname())
    for _ in range(25):  # a sample begins with the server, or within its first second
        c.send_channel(0x4001, b"x" * 1000)
        peer.recv(2000)
    first = t.until(lambda: p.get("/api/v1/history").json()["at"] and p.get("/api/v1/history").json(), "a sample", 30, 0.2)
    equal((first["step_s"], first["transports"]), (10, ["udp", "tcp", "tls", "dtls"]), "what a sample is")
    equal(first["sessions"], [[1, 0, 0, 0]], "sessions")
    for _ in range(50):
        c.send_channel(0x4001, b"x" * 1000)
        peer.recv(2000)
    t.until(lambda: len(p.get("/api/v1/history").json()["at"]) == 2, "another", 30, 0.2)
    h = p.get("/api/v1/history").json()
    step = h["at"][1] - h["at"][0]
    check(9.9 < step < 12 * t.scale, "a step of %.3f s", step)
    sent = h["relayed_bps"][1][0] * step / 8
    check(abs(sent - 50000) < 500 and h["relayed_bps"][1][1:] == [0, 0, 0], "of 50,000 bytes: %s", h["relayed_bps"])


@test("a session's quality: RTP that came and was lost on each leg, null where there is none", not_coturn=OURS)
def quality(t):
    served(t)
    c, peer = t.client(), t.peer()
    c.allocate()
    c.bind(0x4000, *peer.getsockname())
    unknown = {"received": None, "lost": None, "jitter_ms": None, "rtt_ms": None}
    port = StatsPort(t)
    equal(port.sessions()["sessions"][0]["quality"], {"client": unknown, "peer": unknown}, "before any RTP")
    for n in range(30):
        if n not in (11, 17):
            c.send_channel(0x4000, rtp(n))
            peer.recv(200)
    legs = port.sessions()["sessions"][0]["quality"]
    equal((legs["client"]["received"], legs["client"]["lost"], legs["client"]["rtt_ms"]), (28, 2, None), "client's leg")
    check(legs["client"]["jitter_ms"] >= 0, "jitter %s", legs["client"]["jitter_ms"])
    equal(legs["peer"], unknown, "the leg without RTP")
    detail = port.get("/api/v1/sessions/" + port.sessions()["sessions"][0]["id"]).json()
    equal(detail["quality"]["client"]["received"], 28, "received, in the session's own answer")
