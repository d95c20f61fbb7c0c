"""Every row of src/admin/route.def, and everything that may be wrong with a request for it."""
import json
import os
import re

import lab
from harness import check, equal, test
from statsport import CONF, TOKENS, StatsPort
from test_admin import OURS, problem

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/admin/route.def")
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"]
ROLES = {"OPEN": {"read", "mint", "admin"}, "READ": {"read", "admin"}, "METRICS": {"read", "admin"},
         "MINT": {"mint", "admin"}, "ADMIN": {"admin"}}
BODIES = {"drain", "credentials"}  # these read a JSON object; what needs a database is told so before
SECRETS = list(TOKENS.values()) + ["s3cret-of-the-backend", "wonderland"]


def rows():
    with open(TABLE) as f:
        found = re.findall(r'^ROUTE\((\w+), (\w+), "([^"]+)", (\w+)\)', f.read(), re.M)
    check(len(found) >= 16, "only %d rows were read", len(found))
    return [(name, method, path.replace("{}", "nobody"), role) for name, method, path, role in found]


def served(t, **more):
    conf = dict(CONF, **{"static-auth-secret": "s3cret-of-the-backend", "check-page": True, **more})
    return t.server(**{k.replace("-", "_"): v for k, v in conf.items()})


def wrong_paths(path):
    return [path + "/", path + "//", "/" + path, path + "/.", path + "/..", "/." + path, "/x/.." + path,
            path.upper() if path.upper() != path else path + "X", path + "%00", path + "%2f", path + ";x",
            "/%2e%2e" + path, path.replace("/", "\\"), "/%2f" + path[1:], path + "\x7f", path + "%", path + "/" + "a" * 4000]


class Watch:
    """What no wrong request may change."""

    def __init__(self, t, s):
        self.t, self.s, self.p = t, s, StatsPort(t)
        self.client = t.client()
        self.client.allocate()
        self.before = self.state()

    def state(self):
        status = self.p.get("/api/v1/status").json()
        return status["state"], status["sessions"]["now"], status["sessions"]["ended"]

    def judge(self):
        equal(self.state(), self.before, "state, sessions, those ended")
        self.client.refresh()
        for secret in SECRETS:
            check(secret not in self.s.log(), "the log holds %s", secret)


def leaks_nothing(a, what):
    for secret in SECRETS:
        check(secret.encode() not in a.body and secret not in str(a.headers), "%s: the answer holds %s", what, secret)


@test("each route without a token, with a wrong one, and with the wrong role", timeout=60, not_coturn=OURS)
def who(t):
    w = Watch(t, served(t))
    for name, method, path, role in rows():
        if role == "OPEN":
            continue
        what = "%s %s" % (method, path)
        wrong = ["", TOKENS["admin"][:-1], TOKENS["admin"] + "x", TOKENS["admin"].upper(), "x" * 3000, "\x80" * 21]
        for token in wrong:
            a = w.p.ask(method, path, token=token)
            problem(a, 401, "%s with token %r" % (what, token[:30]))
            check(a.headers["WWW-Authenticate"].startswith("Bearer"), "%s: no challenge", what)
            leaks_nothing(a, what)
        for scheme in ("Basic ", "bearer", "Bearer\t", "Token ", ""):
            a = w.p.ask(method, path, token="", headers={"Authorization": scheme + TOKENS["admin"]})
            problem(a, 401, "%s with %r" % (what, scheme))
        for other, token in TOKENS.items():
            if other not in ROLES[role]:
                a = w.p.ask(method, path, token=token)
                problem(a, 403, "%s as %s" % (what, other))
                leaks_nothing(a, what)
        problem(w.p.ask(method, path + "?token=" + TOKENS["admin"], token=""), 401, what + " with the token in its URL")
    w.judge()


@test("each route with every other method", timeout=60, not_coturn=OURS)
def methods(t):
    w = Watch(t, served(t))
    table = rows()
    for name, method, path, role in table:
        allowed = {m for _, m, p, _ in table if p == path}
        if "GET" in allowed and name != "events":
            allowed.add("HEAD")
        for m in METHODS:
            if m in allowed or (m == "HEAD" and name == "events"):
                continue
            a = w.p.ask(m, path)
            if m == "CONNECT":
                check(a.status >= 400, "CONNECT %s: %d", path, a.status)
                continue
            equal(a.status, 405, "%s %s" % (m, path))
            if m != "HEAD":
                problem(a, 405, "%s %s" % (m, path))
            equal({x.strip() for x in a.headers["Allow"].split(",")}, allowed, "Allow of " + path)
            leaks_nothing(a, path)
    w.judge()


@test("each route with a body that is too large, in one piece and in chunks", timeout=60, not_coturn=OURS)
def large(t):
    w = Watch(t, served(t))
    for name, method, path, role in rows():
        if name == "events":
            continue
        what = "%s %s" % (method, path)
        problem(w.p.ask(method, path, "x" * 16385), 413, what + " with 16,385 bytes")
        head = "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n" % (method, path, TOKENS["admin"])
        promised = w.p.raw((head + "Content-Length: 99999999999\r\n\r\n").encode() + b"x" * 1000, timeout=0.3)
        check(b" 413 " in promised.split(b"\r\n")[0], "%s that promises too much: %r", what, promised[:80])
        chunks = b"".join(b"1000\r\n" + b"x" * 4096 + b"\r\n" for _ in range(5)) + b"0\r\n\r\n"
        got = w.p.raw((head + "Transfer-Encoding: chunked\r\n\r\n").encode() + chunks, timeout=0.3)
        check(b" 413 " in got.split(b"\r\n")[0], "%s in chunks: %r", what, got[:80])
    w.judge()


@test("bodies that are no JSON object, or hold what is not meant", not_coturn=OURS)
def bodies(t):
    w = Watch(t, served(t))
    bad = ["{", "[]", "null", "1", '"x"', "{}{}", '{"a":1,}', "[" * 8000, '{"a":' * 2700, b"\xef\xbb\xbf{}", b"\xff\xfe{}",
           b"\0", '{"drain":"yes"}', '{"drian":false}', '{"exit":1}', '{"drain":true,"drain":false}', '{"ttl":1e3}', '{"ttl":-1}',
           '{"ttl":99999999999999999999}', '{"ttl":true}', '{"user":null}', '{"user":{}}', '{"user":"a\\u0000b"}',
           '{"user":"\\ud800"}', json.dumps({"user": "x" * 257})]
    for name, method, path, role in rows():
        if name not in BODIES:
            continue
        for body in bad:
            if name == "credentials" and isinstance(body, str) and re.match(r'\{"(dr|exit)', body):
                continue  # it has no such member, and would pass it over
            a = w.p.ask(method, path, body)
            problem(a, 400, "%s with %r" % (path, body[:40]))
    w.judge()


@test("paths beside each route are no route", timeout=60, not_coturn=OURS)
def tricks(t):
    w = Watch(t, served(t))
    for name, method, path, role in rows():
        for wrong in wrong_paths(path):
            a = w.p.raw(("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n\r\n"
                         % (method, wrong, TOKENS["admin"])).encode(), timeout=2)
            status = int(a.split(b" ")[1]) if a.startswith(b"HTTP/1.1 ") else 400
            of_name = wrong.startswith(path) and path.endswith("nobody")  # another name, which nobody has either
            check(status in (400, 404, 405, 414, 431) or (of_name and status in (404, 200, 501)),
                  "%s %r: %d", method, wrong[:80], status)
            if method != "GET" and not (of_name and path.endswith("/credentials/nobody")):
                check(status != 200, "%s %r is served", method, wrong[:80])
    w.judge()


@test("what log-ip hides from the log the interface does not tell either", not_coturn=OURS)
def hidden(t):
    for mask, client, peer_seen in (("prefix", "10.1.0.0/24", "10.2.0.0/24"), ("none", "-", "-")):
        s = served(t, **{"log-ip": mask})
        p, c, peer = StatsPort(t), t.client(), t.peer()
        c.allocate()
        c.bind(0x4000, *peer.getsockname())
        c.permit(lab.PEER)
        row = p.sessions()["sessions"][0]
        one = p.get("/api/v1/sessions/" + row["id"])
        equal((row["client"], one.json()["client"]), (client, client), "client with log-ip=" + mask)
        equal({x["address"] for x in one.json()["peers"]}, {peer_seen}, "peers with log-ip=" + mask)
        check(row["relayed"][0].startswith(lab.RELAY) and row["server"].startswith(lab.SRV), "own addresses")
        for address in (lab.CLI + ":", '"%s"' % lab.CLI, lab.PEER + ":", '"%s"' % lab.PEER):
            check(address.encode() not in one.body, "%s with log-ip=%s", address, mask)
        c.refresh(0)
        s.wait_log("session_end", 5)
        check(lab.CLI + ":" not in s.log(), "the client is in the log with log-ip=%s", mask)
        s.stop()
