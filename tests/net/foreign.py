"""ICE and WebRTC clients that other people wrote: each is a program in clients/ that connects two of
itself over relayed candidates only, sends messages there and back, and prints what it found."""
import json
import os
import re

import lab
from harness import check, equal, minted

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clients")
SECRET = "a-secret-for-clients"
STATIC = ("alice", "wonderland")
MESSAGES = 150
BOTH = "it takes static users or a secret, not both"
# transport -> what a client is told; the last one is DTLS
URLS = {"udp": "turn:%s:3478?transport=udp", "tcp": "turn:%s:3478?transport=tcp",
        "tls": "turns:%s:5349?transport=tcp", "dtls": "turns:%s:5349?transport=udp"}


def served(t, **conf):
    """A server with every way in; static users and, at the same time, a secret for minted ones. Returns
    the certificate that vouches for the server's."""
    authority = t.certificate("authority", names="DNS:authority")
    cert, pkey = t.certificate(issuer=authority)
    # the stand-in speaks DTLS without being told, and knows no such option
    t.server(cert=cert, pkey=pkey, no_tls=False, no_dtls=False, dtls=t.kind == "taciturn",
             use_auth_secret=True, static_auth_secret=SECRET, **conf)
    return authority[0]


def url(transport, server):
    return URLS[transport] % ("[%s]" % server if ":" in server else server)


def run(t, argv, transport, server=lab.SRV, credentials=STATIC, timeout=30, env=None, words=False,
        **more):
    """One run of a client; its RESULT. It is told its task in JSON, or in words."""
    options = dict(transport=transport, host=server, username=credentials[0], credential=credentials[1],
                   messages=MESSAGES)
    if words:
        told = [str(value) for value in options.values()]
    else:
        told = [json.dumps(dict(options, url=url(transport, server), **more))]
    status, out = t.run(t.lab.cli, *argv, *told, timeout=timeout, env=dict(os.environ, **env or {}))
    found = re.search(r"^RESULT (.*)$", out, re.M)
    check(status == 0 and found, "%s over %s reports no result (status %s)", argv, transport, status)
    return json.loads(found.group(1))


def relayed(t, argv, transport, relay=None, **kw):
    """Two of the client talk through the relay, and only through it."""
    way = "alloc_open .*transport=%s " % transport
    before = len(re.findall(way, t.servers[-1].log()))
    r = run(t, argv, transport, **kw)
    if t.kind == "taciturn":  # the log is written a little later
        t.until(lambda: len(re.findall(way, t.servers[-1].log())) >= before + 2, "two allocations over " + transport)
    equal((r["received"], r["in_order"]), (MESSAGES, True), "messages there and back, in order, over " + transport)
    equal(set(r["candidates"]), {"relay"}, "types of candidates")
    equal(len(r["pairs"]), 2, "pairs in use")
    relays = [relay] if relay else [lab.RELAY, lab.RELAY6]
    for pair in r["pairs"]:
        for end in pair:
            # with the same policy at both ends, what one takes for the other's address is the relay's too
            check(end["type"] == "relay" or end["type"] == "prflx" and end is pair[1], "pair in use: %s", pair)
            check(end["ip"] in relays, "address of %s", end)
    return r


def ephemeral(user="ruth"):
    return minted(SECRET, user, ttl=120)
