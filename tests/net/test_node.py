"""WebRTC libraries for node: werift, node-datachannel (libjuice), @roamhq/wrtc (libwebrtc)."""
import os
import shutil

import foreign
import lab
from harness import Skip, test
from kept import modules


def relayed(t, library, transport, cert, **kw):
    if not shutil.which("node"):
        raise Skip("no nodejs")
    env = {"NODE_PATH": modules(foreign.HERE), "NODE_EXTRA_CA_CERTS": cert}
    return foreign.relayed(t, ["node", os.path.join(foreign.HERE, "node.js")], transport, library=library, env=env, **kw)


@test("werift: a data channel, relay to relay, over UDP, TCP and TLS, and over IPv6", timeout=60,
      heavy=True, not_coturn=foreign.BOTH)
def werift(t):
    cert = foreign.served(t)
    for transport in ("udp", "tcp", "tls"):
        relayed(t, "werift", transport, cert)
    for transport in ("tcp", "tls"):  # over UDP it speaks IPv4 only
        relayed(t, "werift", transport, cert, server=lab.SRV6, credentials=foreign.ephemeral())


@test("node-datachannel (libjuice): a data channel, relay to relay, over UDP, IPv4 and IPv6", timeout=60,
      not_coturn=foreign.BOTH)
def datachannel(t):
    cert = foreign.served(t)
    for server in (lab.SRV, lab.SRV6):
        relayed(t, "node-datachannel", "udp", cert, server=server)
        relayed(t, "node-datachannel", "udp", cert, server=server, credentials=foreign.ephemeral())


@test("@roamhq/wrtc (libwebrtc): a data channel, relay to relay, over UDP and TCP, IPv4 and IPv6", timeout=60,
      heavy=True, not_coturn=foreign.BOTH)
def wrtc(t):
    cert = foreign.served(t)
    for transport in ("udp", "tcp"):  # it checks certificates against roots of its own
        relayed(t, "@roamhq/wrtc", transport, cert)
        relayed(t, "@roamhq/wrtc", transport, cert, server=lab.SRV6, credentials=foreign.ephemeral())
