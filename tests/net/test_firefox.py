"""Headless Firefox: the calls of test_browser.py."""
import os
import shutil
import sys

import foreign
import lab
import marionette
from harness import Skip, check, equal, test
from test_browser import HERE

MESSAGES, FRAMES = 200, 15


def started(t, authority):
    if not os.path.exists(marionette.PROGRAM) or not shutil.which("certutil"):
        raise Skip("no Firefox, or no certutil")
    t.spawn(t.lab.cli, sys.executable, os.path.join(os.path.dirname(HERE), "website.py"), "127.0.0.1", "8000")
    firefox = marionette.Firefox(t, authority)
    firefox.ask("WebDriver:Navigate", url="http://127.0.0.1:8000/")
    return firefox


def call(t, firefox, url, credentials):
    with open(os.path.join(HERE, "call.js")) as f:
        script = "(() => { %s; return call; })()(arguments[0])" % f.read()
    options = {"iceServers": [{"urls": url, "username": credentials[0], "credential": credentials[1]}],
               "messages": MESSAGES, "video": FRAMES}
    return firefox.run(script, options, timeout=45 * t.scale)


def relayed(t, firefox, transport, server=lab.SRV, credentials=foreign.STATIC):
    url = foreign.url(transport, server)
    if transport == "tls":  # it speaks TLS to what has a name
        firefox.resolve_all_to(server)
        url = foreign.url(transport, "turn.test")
    r = call(t, firefox, url, credentials)
    equal((r["received"], r["in_order"]), (MESSAGES, True), "messages there and back, in order")
    check(r["frames"] >= FRAMES, "%s frames decoded", r["frames"])
    equal(set(r["candidates"]), {"relay"}, "types of candidates")
    equal(len(r["pairs"]), 2, "selected pairs")
    for pair in r["pairs"]:
        equal((pair["local"], pair["protocol"]), ("relay", transport), "selected pair")
        # Firefox keeps calling a candidate peer-reflexive whose check came before its description
        check(pair["remote"] in ("relay", "prflx"), "selected pair: %s", pair)
        equal({pair["local_address"], pair["remote_address"]}, {lab.RELAY}, "addresses of the pair")
        check(pair["sent"] > 1000 and pair["received"] > 1000, "bytes of the pair: %s", pair)


@test("Firefox: a data channel and video, relay to relay, over UDP, TCP and TLS, IPv4 and IPv6", timeout=150,
      heavy=True, not_coturn=foreign.BOTH)
def calls(t):
    firefox = started(t, foreign.served(t))
    for transport in ("udp", "tcp", "tls"):
        relayed(t, firefox, transport)
        relayed(t, firefox, transport, server=lab.SRV6, credentials=foreign.ephemeral())
    firefox.close()
