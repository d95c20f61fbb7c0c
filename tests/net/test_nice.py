"""libnice, the ICE agent of GStreamer, Janus and Pidgin."""
import os

import foreign
import kept
import lab
from harness import test


@test("libnice: relay to relay over UDP and TCP, IPv4 and IPv6, static and minted credentials", timeout=60,
      not_coturn=foreign.BOTH)
def libnice(t):
    program = kept.compiled(os.path.join(foreign.HERE, "nice.c"), "nice")
    foreign.served(t)
    for transport in ("udp", "tcp"):
        for server in (lab.SRV, lab.SRV6):
            for credentials in (foreign.STATIC, foreign.ephemeral()):
                foreign.relayed(t, [program], transport, server=server, credentials=credentials, words=True)
