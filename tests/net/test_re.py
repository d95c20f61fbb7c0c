"""libre, the library of baresip."""
import os

import foreign
import kept
import lab
from harness import test


@test("libre: relay to relay over UDP, TCP, TLS and DTLS, IPv4 and IPv6, static and minted credentials", timeout=60,
      not_coturn=foreign.BOTH)
def libre(t):
    program = kept.compiled(os.path.join(foreign.HERE, "re.c"), "libre")
    foreign.served(t)
    # over UDP it takes a socket of the family of the peer, not of the server
    ways = [(transport, server) for transport in foreign.URLS for server in (lab.SRV, lab.SRV6)]
    ways.remove(("udp", lab.SRV6))
    for transport, server in ways:
        for credentials in (foreign.STATIC, foreign.ephemeral()):
            foreign.relayed(t, [program], transport, server=server, credentials=credentials, words=True)
