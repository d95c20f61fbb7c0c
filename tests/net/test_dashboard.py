"""The dashboard in headless Chromium, while sessions run."""
import json
import os
import re
import shutil

import lab
from harness import Skip, check, equal, test
from kept import modules
from statsport import CONF, PORT, TOKENS
from test_browser import CHROMIUM, HERE

ODD = "<img src=x>"
URL = "http://%s:%d/" % (lab.SRV, PORT)


def said(p, word):
    with open(p.output, errors="replace") as f:
        return p.poll() is not None or re.search("^%s" % word, f.read(), re.M)


def drive(t, client):
    if not os.path.exists(CHROMIUM) or not shutil.which("node"):
        raise Skip("no chromium or no nodejs")
    pictures = os.environ.get("TACITURN_ARTIFACTS")
    if pictures:
        os.makedirs(pictures, exist_ok=True)
    options = {"url": URL, "wrong": "no-such-token-0123456789", "token": TOKENS["admin"], "odd": ODD, "client": client,
               "profile": os.path.join(t.dir, "profile"), "timeout_ms": int(20000 * t.scale),
               "pictures": pictures and os.path.abspath(pictures)}
    env = dict(os.environ, NODE_PATH=modules(HERE), HOME=t.dir, XDG_CONFIG_HOME=t.dir, XDG_CACHE_HOME=t.dir)
    return t.spawn(t.lab.cli, "node", os.path.join(HERE, "dashboard.js"), json.dumps(options), env=env)


def traffic(client, peer):
    """Some data there, until the page has seen it."""
    client.send_channel(0x4001, b"x" * 1000)
    peer.recv(2000)


@test("sessions appear, are filtered and ended, the server drains and comes again; no console error, nothing in URLs",
      timeout=150, not_coturn="it has no such page")
def live(t):
    conf = dict(CONF, user=["alice:wonderland", "bob:builder", ODD + ":odd"])
    t.server(**{k.replace("-", "_"): v for k, v in conf.items()})
    clients = [t.client(), t.client(), t.stream()]
    bob = t.client(user="bob", password="builder")
    for c in clients + [bob]:
        c.allocate()
    peer = t.peer()
    clients[0].bind(0x4001, *peer.getsockname())

    p = drive(t, "%s:%d" % clients[0].sock.getsockname())
    t.until(lambda: said(p, "SEEN"), "the page shows the sessions", 60)
    t.client(user=ODD, password="odd").allocate()
    t.until(lambda: traffic(clients[0], peer) or said(p, "ENDED"), "the page ends a session", 60)
    bob.refresh(code=437)
    clients[1].refresh()
    t.until(lambda: said(p, "DRAINED"), "the page drains", 60)
    t.client().allocate(code=508)
    t.until(lambda: said(p, "LEAVING"), "the page is through", 60)
    t.servers[0].stop()
    t.until(lambda: said(p, "LOST"), "the page has lost the server", 60)
    t.server(**{k.replace("-", "_"): v for k, v in conf.items()})
    status, out = t.end(p, 60)
    found = re.search(r"^RESULT (.*)$", out, re.M)
    check(status == 0 and found, "the browser reports no result")
    judge(json.loads(found.group(1)), peer)


def judge(r, peer):
    check("does not know" in r["refusal"], "refusal: %s", r["refusal"])
    check(len(r["before"]) == 1 and "401" in r["before"][0], "console at the wrong token: %s", r["before"])
    equal(r["faults"], [], "errors, warnings and breaches of the policy in the console")
    equal((r["odd"], r["images"]), (1, 0), "a user's name that looks like markup")
    check("alice" in r["users"], "top users: %s", r["users"])
    check("401" in r["errors"], "errors by reason: %s", r["errors"])
    check("%s:%d" % peer.getsockname() in r["detail"] and "channel 0x4001" in r["detail"], "details: %s", r["detail"])
    equal((r["filtered"], r["kept"]), ("bob", 1), "what the filter leaves, what Cancel leaves")
    check(re.match(r"Ended \S+\.\d+\.\d+\.", r["ended"]), "the end's result: %s", r["ended"])
    equal(r["focus"], "h-sessions", "the focus after the end")
    check("log" in r["reloaded"], "the result of a reload: %s", r["reloaded"])
    check(all(u.startswith(URL) for u in r["urls"]), "addresses that are asked: %s", set(r["urls"]))
    check(not any(token in u for u in r["urls"] for token in TOKENS.values()), "a token is in a URL")
    equal(r["stored"], [0, "", 1], "local storage, cookies, session storage")
    check(r["wide"] <= 1280 and r["narrow"] <= 390, "too wide: %s, %s", r["wide"], r["narrow"])
