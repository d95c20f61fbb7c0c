"""pion (Go): its WebRTC, and its TURN client alone."""
import os
import shutil

import foreign
import kept
import lab
from harness import Skip, test

GOPATH = "/usr/share/gocode"
SOURCE = os.path.join(foreign.HERE, "pion")


def program():
    if not shutil.which("go") or not os.path.isdir(GOPATH + "/src/github.com/pion/webrtc"):
        raise Skip("no go, or no pion")
    sources = [os.path.join(SOURCE, name) for name in ("main.go", "go.mod")]

    def make(path):
        # Debian's way to build: no modules, and what is packaged lies under one path
        os.makedirs(os.path.join(path, "src/pion"), exist_ok=True)
        for source in sources:
            shutil.copy(source, os.path.join(path, "src/pion"))
        kept.run(["go", "build", "-o", os.path.join(path, "pion"), "."], os.path.join(path, "src/pion"),
                 GO111MODULE="off", GOFLAGS="", GOPATH="%s:%s" % (path, GOPATH), GOCACHE=os.path.join(path, "cache"))
        shutil.rmtree(os.path.join(path, "cache"))
    return os.path.join(kept.kept("pion", sources, make), "pion")


def relayed(t, transport, cert, **kw):
    return foreign.relayed(t, [program()], transport, env={"SSL_CERT_FILE": cert}, **kw)


@test("pion: a data channel, relay to relay, over UDP, TCP, TLS and DTLS, static and minted credentials", timeout=60,
      not_coturn=foreign.BOTH)
def webrtc(t):
    cert = foreign.served(t)
    for transport in foreign.URLS:
        relayed(t, transport, cert)
        relayed(t, transport, cert, credentials=foreign.ephemeral())


@test("pion's TURN client: relay to relay over UDP, TCP, TLS and DTLS, IPv4 and IPv6", timeout=60,
      not_coturn=foreign.BOTH)
def turn(t):
    cert = foreign.served(t)
    for transport in foreign.URLS:
        for server in (lab.SRV, lab.SRV6):
            relayed(t, transport, cert, server=server, layer="turn")
