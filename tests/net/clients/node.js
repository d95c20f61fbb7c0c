// Two peer connections of a WebRTC library for node that may use relayed candidates only, the
// signalling between them in this process: messages there and back over a data channel, and one
// line of JSON about it. Argument: JSON with library, url, username, credential, messages.
"use strict";

// What differs between the libraries: how an RTCPeerConnection is made, and how to ask for the pair in use.
const LIBRARIES = {
	"@roamhq/wrtc": {
		open: (config) => new (require("@roamhq/wrtc").RTCPeerConnection)(config),
		pair: async (pc) => {
			const stats = await pc.getStats();
			const all = [...stats.values()];
			const pair = all.find((s) => s.type === "candidate-pair" && s.nominated);
			return [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)]
				.map((c) => ({ type: c.candidateType, ip: c.address || c.ip, protocol: c.relayProtocol }));
		},
	},
	"node-datachannel": {
		// its reader of URLs knows no IPv6 address and no colon in a user's name
		open: (config, options) => {
			const server = {
				hostname: options.host, port: 3478, username: options.username,
				password: options.credential, relayType: "TurnUdp",
			};
			const peerConnection = new (require("node-datachannel").PeerConnection)("test",
				{ iceServers: [server], iceTransportPolicy: "relay" });
			return new (require("node-datachannel/polyfill").RTCPeerConnection)({ peerConnection });
		},
		pair: async (pc) => {
			const pair = pc.sctp.transport.iceTransport.getSelectedCandidatePair();
			return [pair.local, pair.remote].map((c) => ({ type: c.type, ip: c.address }));
		},
		end: () => require("node-datachannel").cleanup(),
	},
	"werift": {
		open: (config) => new (require("werift").RTCPeerConnection)(config),
		pair: async (pc) => {
			const pair = pc.iceTransports[0].connection.nominated;
			return [pair.localCandidate, pair.remoteCandidate].map((c) => ({ type: c.type, ip: c.host }));
		},
	},
};

const text = (n) => `message ${n} ` + "x".repeat((n * 7) % 1000);

// Tells each side the other's candidates, once both know the other's description: not every library
// takes them earlier.
function together(a, b, result) {
	const early = [];
	let described = false;
	const tell = ([other, candidate]) =>
		other.addIceCandidate(candidate).catch((x) => result.errors.push(String(x)));

	for (const [one, other] of [[a, b], [b, a]]) {
		one.onicecandidate = (e) => {
			if (!e.candidate || !e.candidate.candidate)
				return;
			result.candidates.push(/ typ (\w+)/.exec(e.candidate.candidate)[1]);
			if (described)
				tell([other, e.candidate]);
			else
				early.push([other, e.candidate]);
		};
	}
	return () => {
		described = true;
		early.forEach(tell);
	};
}

async function call(options, library) {
	const config = {
		iceServers: [{ urls: options.url, username: options.username, credential: options.credential }],
		iceTransportPolicy: "relay",
	};
	const a = library.open(config, options);
	const b = library.open(config, options);
	const result = { received: 0, in_order: true, candidates: [], errors: [] };

	const bothDescribed = together(a, b, result);
	// the other side asks for them: not every library keeps the order of what comes before onmessage
	b.ondatachannel = (e) => {
		e.channel.onmessage = (m) => e.channel.send(m.data);
		const ask = () => e.channel.send("ready");
		if (e.channel.readyState === "open")
			ask();
		else
			e.channel.onopen = ask;
	};
	const channel = a.createDataChannel("test");
	const echoed = new Promise((resolve) => {
		channel.onmessage = (m) => {
			if (String(m.data) === "ready") {
				for (let n = 0; n < options.messages; n++)
					channel.send(text(n));
				return;
			}
			if (String(m.data) !== text(result.received))
				result.in_order = false;
			if (++result.received === options.messages)
				resolve();
		};
	});
	await a.setLocalDescription(await a.createOffer());
	await b.setRemoteDescription(a.localDescription);
	await b.setLocalDescription(await b.createAnswer());
	await a.setRemoteDescription(b.localDescription);
	bothDescribed();
	await echoed;
	result.pairs = [await library.pair(a), await library.pair(b)];
	a.close();
	b.close();
	return result;
}

async function main() {
	const options = JSON.parse(process.argv[2]);
	const library = LIBRARIES[options.library];
	const result = await call(options, library);

	console.log("RESULT " + JSON.stringify(result));
	if (library.end)
		library.end();
	process.exit(0);
}

main().catch((e) => {
	console.log(String(e.stack || e));
	process.exit(1);
});
