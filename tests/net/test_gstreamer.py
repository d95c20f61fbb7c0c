"""GStreamer's webrtcbin."""
import glob
import os

import foreign
import lab
from harness import Skip, check, test

PARTS = {"libgstnice.so", "libgstwebrtc.so", "libgstvpx.so", "libgstrtp.so", "libgstsctp.so", "libgstdtls.so"}


def relayed(t, transport, **kw):
    r = foreign.relayed(t, ["/usr/bin/python3", os.path.join(foreign.HERE, "gst.py")], transport, frames=30, **kw)
    check(r["frames"] >= 30, "%d frames decoded", r["frames"])


@test("webrtcbin: VP8 and a data channel, relay to relay, over UDP and TCP, IPv4 and IPv6", timeout=90,
      heavy=True, not_coturn=foreign.BOTH)
def webrtcbin(t):
    there = {os.path.basename(path) for path in glob.glob("/usr/lib/*/gstreamer-1.0/*.so")}
    if PARTS - there:
        raise Skip("of GStreamer there is no " + " ".join(sorted(PARTS - there)))
    foreign.served(t)
    for transport in ("udp", "tcp"):
        relayed(t, transport)
        relayed(t, transport, server=lab.SRV6, credentials=foreign.ephemeral())
