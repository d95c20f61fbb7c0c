"""Headless Chromium: a call whose both ends are relayed."""
import base64
import hashlib
import json
import os
import re
import shutil
import subprocess

import lab
from harness import Skip, check, equal, minted, test
from kept import modules
from test_web import site

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "browser")
SECRET = "another-secret-for-tests"
CHROMIUM = "/usr/bin/chromium"


def pinned(cert):
    """What Chromium calls a certificate's key: a server that shows it is believed, others are not.
    It checks TURN's certificates as a web site's, and knows no other way to name one by hand."""
    key = subprocess.run("openssl x509 -in '%s' -noout -pubkey | openssl pkey -pubin -outform DER" % cert,
                         shell=True, check=True, stdout=subprocess.PIPE).stdout
    return base64.b64encode(hashlib.sha256(key).digest()).decode()


def call(t, name, password, server=lab.SRV, messages=1000, frames=30, mint=None, url="turn:%s:3478?transport=udp",
         trust=None, gather_only=False, visit=None):
    """One call in a fresh browser; returns what the page found out."""
    if not os.path.exists(CHROMIUM) or not shutil.which("node"):
        raise Skip("no chromium or no nodejs")
    host = "[%s]" % server if ":" in server else server
    options = {"iceServers": [{"urls": url % host, "username": name, "credential": password}],
               "flags": ["--ignore-certificate-errors-spki-list=" + pinned(trust)] if trust else [],
               "gather_only": gather_only, "visit": visit, "mint": mint, "messages": messages, "video": frames,
               "timeout_ms": int(45000 * t.scale), "profile": os.path.join(t.dir, "profile")}
    env = dict(os.environ, NODE_PATH=modules(HERE), HOME=t.dir, XDG_CONFIG_HOME=t.dir, XDG_CACHE_HOME=t.dir)
    status, out = t.run(t.lab.cli, "node", os.path.join(HERE, "relay.js"), json.dumps(options),
                        timeout=70, env=env)
    found = re.search(r"^RESULT (.*)$", out, re.M)
    check(status == 0 and found, "the browser reports no result")
    return json.loads(found.group(1))


def relayed_call(t, name, password, relay=lab.RELAY, messages=1000, frames=30, transport="udp", **kw):
    r = call(t, name, password, messages=messages, frames=frames, **kw)
    equal((r["received"], r["in_order"]), (messages, True), "messages there and back, in order")
    check(r.get("frames", 0) >= frames, "%s frames decoded", r.get("frames"))
    equal(set(r["candidates"]), {"relay"}, "types of candidates")
    equal(len(r["pairs"]), 2, "selected pairs")
    for pair in r["pairs"]:
        equal((pair["local"], pair["remote"], pair["protocol"]), ("relay", "relay", transport), "selected pair")
        equal(pair["local_address"], relay, "address of the candidate")
        check(pair["sent"] > 1000 and pair["received"] > 1000, "bytes of the pair: %s", pair)
    return r


@test("a static user: 1000 messages in order and fake-camera video, relay to relay", timeout=90)
def call_static(t):
    t.server()
    relayed_call(t, "alice", "wonderland")


@test("a credential of 60 s: the same call", timeout=90)
def call_minted(t):
    t.server(user=None, use_auth_secret=True, static_auth_secret=SECRET)
    relayed_call(t, *minted(SECRET, "erin", ttl=60))


@test("a call whose credential runs out in its midst goes on", timeout=90)
def call_outlives_credential(t):
    t.server(user=None, use_auth_secret=True, static_auth_secret=SECRET)
    relayed_call(t, None, None, mint={"secret": SECRET, "user": "frank", "ttl": int(5 * t.scale)},
                 frames=20, messages=10)


@test("an external address: the same call", timeout=90)
def call_external(t):
    t.server(external_ip=["203.0.113.7/" + lab.RELAY])
    relayed_call(t, "alice", "wonderland", relay="203.0.113.7", messages=100, frames=10)


@test("one datagram in twelve lost on the way to the server: messages still arrive in order", timeout=90)
def call_lossy(t):
    t.net()
    t.lab.srv.nft('table ip loss { chain in { type filter hook input priority 0; '
                  'iif "s0" udp dport 3478 numgen random mod 12 0 drop; }; }')
    t.server()
    relayed_call(t, "alice", "wonderland", frames=5, messages=300)


@test("over IPv6: the same call", timeout=90)
def call_v6(t):
    t.server()
    relayed_call(t, "alice", "wonderland", server=lab.SRV6, frames=10, messages=100)


@test("turn:...?transport=tcp: the same call", timeout=90)
def call_tcp(t):
    t.server()
    relayed_call(t, "alice", "wonderland", url="turn:%s:3478?transport=tcp", transport="tcp")


@test("turns:...:443?transport=tcp: the same call", timeout=90)
def call_tls(t):
    cert, pkey = t.certificate()
    t.server(cert=cert, pkey=pkey, no_tls=False, tls_listening_port=443)
    relayed_call(t, "alice", "wonderland", url="turns:%s:443?transport=tcp", transport="tls", trust=cert)


@test("a browser reads the site behind port 443, and calls through the same port from its page", timeout=90,
      heavy=True, not_coturn="no web site behind it")
def call_behind_site(t):
    t.net()
    site(t, 8080)
    cert, pkey = t.certificate()
    t.server(cert=cert, pkey=pkey, no_tls=False, tls_listening_port=443, https_backend="127.0.0.1:8080")
    r = relayed_call(t, "alice", "wonderland", url="turns:%s:443?transport=tcp", transport="tls", trust=cert,
                     visit="https://%s/page" % lab.SRV, messages=100, frames=10)
    equal(r["page"].strip(), "site /page client unknown", "what the site says")


@test("turns: to a server that shows a certificate nobody vouches for: the browser does not call", timeout=60)
def call_tls_unknown(t):
    cert, pkey = t.certificate()
    t.server(cert=cert, pkey=pkey, no_tls=False)
    r = call(t, "alice", "wonderland", url="turns:%s:5349?transport=tcp", gather_only=True)
    equal(r["candidates"], [], "candidates")
