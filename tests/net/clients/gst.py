#!/usr/bin/python3
"""GStreamer's webrtcbin as a client of the relay: two of it in one pipeline that may use relayed
candidates only. VP8 one way, messages there and back over a data channel, and one line of JSON about
it. Argument: JSON with host, transport, username, credential, messages, frames."""
import json
import os
import sys
import urllib.parse

import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

VIDEO = ("videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! vp8enc deadline=1 ! "
         "rtpvp8pay pt=96 ! application/x-rtp,media=video,encoding-name=VP8,payload=96")

ENDS = (GstWebRTC.WebRTCStatsType.LOCAL_CANDIDATE, GstWebRTC.WebRTCStatsType.REMOTE_CANDIDATE)


def text(n):
    return "message %d " % n + "x" * (n * 7 % 1000)


class Call:
    def __init__(self, options):
        self.options, self.loop = options, GLib.MainLoop()
        self.result = {"received": 0, "in_order": True, "candidates": [], "frames": 0}
        self.pipeline = Gst.parse_launch(VIDEO + " ! webrtcbin name=a webrtcbin name=b")
        self.a, self.b = (self.pipeline.get_by_name(name) for name in "ab")
        bus = self.pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", lambda _, m: self.fail(m.parse_error()))
        for one, other in ((self.a, self.b), (self.b, self.a)):
            one.set_property("turn-server", self.url())
            one.set_property("ice-transport-policy", GstWebRTC.WebRTCICETransportPolicy.RELAY)
            one.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
            one.connect("on-ice-candidate", self.on_candidate, other)
        self.b.connect("pad-added", self.on_track)
        self.b.connect("on-data-channel", self.on_channel)
        self.a.connect("on-negotiation-needed", self.on_negotiation)
        self.channel = None

    def url(self):
        o = self.options
        host = "[%s]" % o["host"] if ":" in o["host"] else o["host"]
        name, password = (urllib.parse.quote(o[key], safe="") for key in ("username", "credential"))
        return "turn://%s:%s@%s:3478?transport=%s" % (name, password, host, o["transport"])

    def fail(self, why):
        print(why, flush=True)
        os._exit(1)

    def on_candidate(self, _, line, candidate, other):
        GLib.idle_add(self.add_candidate, other, line, candidate)

    def add_candidate(self, other, line, candidate):
        self.result["candidates"].append(candidate.split(" typ ")[1].split()[0])
        other.emit("add-ice-candidate", line, candidate)

    # --- offer and answer

    def describe(self, one, other, what, then):
        """An offer or an answer of one is set at both."""
        def on_created(promise, *_):
            reply = promise.get_reply()  # which owns the description
            description = reply.get_value(what)
            one.emit("set-local-description", description, Gst.Promise.new())
            other.emit("set-remote-description", description, Gst.Promise.new_with_change_func(then))
        one.emit("create-" + what, None, Gst.Promise.new_with_change_func(on_created))

    def on_negotiation(self, _):
        if self.channel:
            return
        self.channel = self.a.emit("create-data-channel", "test", None)
        self.channel.connect("on-open", self.on_open)
        self.channel.connect("on-message-string", self.on_reply)
        self.describe(self.a, self.b, "offer",
                      lambda *_: self.describe(self.b, self.a, "answer", lambda *_: None))

    # --- what is sent

    def on_open(self, channel):
        for n in range(self.options["messages"]):
            channel.emit("send-string", text(n))

    def on_channel(self, _, channel):
        channel.connect("on-message-string", lambda c, said: c.emit("send-string", said))

    def on_reply(self, _, said):
        self.result["in_order"] &= said == text(self.result["received"])
        self.result["received"] += 1
        GLib.idle_add(self.done)

    def on_track(self, _, pad):
        sink = Gst.parse_bin_from_description("rtpvp8depay ! vp8dec ! fakesink name=s signal-handoffs=true sync=false",
                                              True)
        sink.get_by_name("s").connect("handoff", self.on_frame)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def on_frame(self, *_):
        self.result["frames"] += 1
        GLib.idle_add(self.done)

    def done(self):
        if self.result["received"] >= self.options["messages"] and self.result["frames"] >= self.options["frames"]:
            self.loop.quit()

    # --- the end

    def pairs(self):
        found = []
        for one in (self.a, self.b):
            promise = Gst.Promise.new()
            one.emit("get-stats", None, promise)
            promise.wait()
            stats = promise.get_reply()
            entries = [stats.get_value(stats.nth_field_name(i)) for i in range(stats.n_fields())]
            found.append([next({"type": s.get_string("candidate-type"), "ip": s.get_string("address")}
                               for s in entries if isinstance(s, Gst.Structure) and s.get_value("type") == end)
                          for end in ENDS])
        return found

    def run(self):
        self.pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        self.result["pairs"] = self.pairs()
        self.pipeline.set_state(Gst.State.NULL)
        return self.result


if __name__ == "__main__":
    Gst.init(None)
    print("RESULT " + json.dumps(Call(json.loads(sys.argv[1])).run()), flush=True)
