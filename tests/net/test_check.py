"""The connection check in headless Chromium."""
import json
import os
import re
import shutil

import lab
from harness import Skip, check, equal, test
from kept import modules
from statsport import CONF, PORT, TOKENS, StatsPort
from test_browser import CHROMIUM, HERE, pinned

OURS = "it has no such page"


def served(t, **more):
    cert, pkey = t.certificate()
    conf = dict(CONF, cert=cert, pkey=pkey, **{"listening-ip": lab.SRV, "relay-ip": lab.RELAY, "user": None,
                                               "use-auth-secret": True, "static-auth-secret": "s3cret"}, **more)
    t.server(**{k.replace("-", "_"): v for k, v in conf.items()})
    return cert


def visit(t, cert, name, token=TOKENS["mint"]):
    """What the page says: way -> all results of it, and the sentences."""
    if not os.path.exists(CHROMIUM) or not shutil.which("node"):
        raise Skip("no chromium or no nodejs")
    pictures = os.environ.get("TACITURN_ARTIFACTS")
    if pictures:
        os.makedirs(pictures, exist_ok=True)
    options = {"url": "http://%s:%d/check" % (lab.SRV, PORT), "token": token,
               "flags": ["--ignore-certificate-errors-spki-list=" + pinned(cert)],
               "profile": os.path.join(t.dir, "profile"), "timeout_ms": int(40000 * t.scale),
               "picture": pictures and os.path.join(os.path.abspath(pictures), "check-%s.png" % name)}
    env = dict(os.environ, NODE_PATH=modules(HERE), HOME=t.dir, XDG_CONFIG_HOME=t.dir, XDG_CACHE_HOME=t.dir)
    status, out = t.run(t.lab.cli, "node", os.path.join(HERE, "check.js"), json.dumps(options), timeout=70, env=env)
    found = re.search(r"^RESULT (.*)$", out, re.M)
    check(status == 0 and found, "the browser reports no result")
    r = json.loads(found.group(1))
    equal(r["faults"], [], "errors in the console")
    ways = {}
    for way, _, result, _ in r["ways"]:
        ways.setdefault(way, set()).add(result.split(":")[0].split(",")[0])
    check(all(s in r["text"] for s in r["said"]) and "TURN over TLS" in r["text"], "text: %s", r["text"])
    return ways, r["said"]


@test("STUN, and TURN over UDP, TCP and TLS, are found to work", timeout=100, not_coturn=OURS)
def all_work(t):
    ways, said = visit(t, served(t), "works")
    for way in ("STUN", "TURN over UDP", "TURN over TCP", "TURN over TLS"):
        equal(ways.get(way), {"works"}, way)
    check("UDP works" in said[0], "verdict: %s", said)


@test("UDP that a packet filter drops is found to be blocked, the others to work", timeout=100, not_coturn=OURS)
def udp_blocked(t):
    cert = served(t)
    t.lab.srv.nft('table ip wall { chain in { type filter hook input priority 0; iif "s0" meta l4proto udp drop; }; }')
    ways, said = visit(t, cert, "blocked")
    for way in ("STUN", "TURN over UDP"):
        equal(ways.get(way), {"fails"}, way)
    for way in ("TURN over TCP", "TURN over TLS"):
        equal(ways.get(way), {"works"}, way)
    check("UDP is blocked" in said[0], "verdict: %s", said)


@test("with check-page anybody may check, ten times a minute; without it nobody", timeout=100, not_coturn=OURS)
def open_to_all(t):
    cert = served(t, **{"check-page": True, "http-token": None, "http-open-metrics": True})
    ways, _ = visit(t, cert, "open", token="")
    equal(ways.get("TURN over UDP"), {"works"}, "TURN over UDP")
    p = StatsPort(t, role=None)
    a = p.ask("POST", "/api/v1/check", {"user": "root", "ttl": 86400})
    equal((a.status, a.json()["ttl"], a.json()["username"].split(":")[1]), (200, 120, "check"), "what is given")
    equal(p.ask("POST", "/api/v1/credentials", {}).status, 404, "other credentials")
    equal(p.ask("GET", "/api/v1/check").status, 405, "GET")
    given = [p.ask("POST", "/api/v1/check") for _ in range(12)]
    equal(sorted({x.status for x in given}), [200, 503], "status")
    refused = next(x for x in given if x.status != 200)
    equal(refused.headers["Retry-After"], "5", "the refusal")
    check(given.index(refused) <= 9, "%d were given to one source", given.index(refused) + 1)
    equal(p.ask("POST", "/api/v1/check").status, 503, "once more")
    other = StatsPort(t, role=None, ns=t.lab.srv)
    equal(other.ask("POST", "/api/v1/check").status, 200, "another source")


@test("without check-page there is no such path", not_coturn=OURS)
def closed(t):
    served(t)
    for role in (None, "mint", "admin"):
        equal(StatsPort(t, role=role).ask("POST", "/api/v1/check").status, 404, "as %s" % role)
