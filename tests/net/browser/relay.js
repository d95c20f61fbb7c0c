// Drives Chromium: one page, two peer connections that may use relayed candidates only, the
// signalling inside the page. Prints one line of JSON. Argument: JSON with iceServers, messages,
// video (frames to decode, 0: no video), profile (a fresh directory), timeout_ms, and where the
// credential is to run out during the call: mint {secret, user, ttl}, made when the page is ready;
// flags for Chromium besides its own; gather_only: no call, only what candidates there are.
"use strict";

const crypto = require("crypto");
const http = require("http");
const { chromium } = require("playwright-core");

const FLAGS = [
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-sync",
	"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
];

// Runs in the page.
async function call(options) {
	const config = { iceServers: options.iceServers, iceTransportPolicy: "relay" };
	const a = new RTCPeerConnection(config);
	const b = new RTCPeerConnection(config);
	const result = { received: 0, in_order: true, errors: [], candidates: [] };

	for (const [one, other] of [[a, b], [b, a]]) {
		one.onicecandidate = (e) => {
			if (!e.candidate)
				return;
			result.candidates.push(e.candidate.type);
			other.addIceCandidate(e.candidate).catch((x) => result.errors.push(String(x)));
		};
		one.onicecandidateerror = (e) =>
			result.errors.push(`${e.errorCode} ${e.errorText} ${e.url}`);
	}

	if (options.gather_only) {
		a.createDataChannel("test");
		const gathered = new Promise((resolve) => {
			a.onicegatheringstatechange = () => a.iceGatheringState === "complete" && resolve();
		});
		await a.setLocalDescription();
		await gathered;
		return result;
	}

	const connected = (pc) => new Promise((resolve, reject) => {
		pc.onconnectionstatechange = () => {
			if (pc.connectionState === "connected")
				resolve();
			if (pc.connectionState === "failed")
				reject(new Error("ICE failed: " + result.errors.join("; ")));
		};
	});
	const both = Promise.all([connected(a), connected(b)]);

	const channel = a.createDataChannel("test");
	const echoed = new Promise((resolve) => {
		b.ondatachannel = (e) => {
			e.channel.onmessage = (m) => e.channel.send(m.data);
		};
		channel.onmessage = (m) => {
			if (m.data !== `message ${result.received} ` + "x".repeat(result.received % 1000))
				result.in_order = false;
			if (++result.received === options.messages)
				resolve();
		};
	});
	channel.onopen = () => {
		for (let i = 0; i < options.messages; i++)
			channel.send(`message ${i} ` + "x".repeat(i % 1000));
	};

	if (options.video) {
		const media = await navigator.mediaDevices.getUserMedia({ video: true });
		media.getTracks().forEach((track) => a.addTrack(track, media));
		b.ontrack = (e) => {
			const video = document.createElement("video");
			video.muted = true;
			video.srcObject = e.streams[0];
			video.play();
		};
	}
	await a.setLocalDescription();
	await b.setRemoteDescription(a.localDescription);
	await b.setLocalDescription();
	await a.setRemoteDescription(b.localDescription);
	await both;
	if (options.messages)
		await echoed;

	// decoded frames, some of them after the credential's expiry; then the pairs in use
	let enough = options.video;
	let until = options.expiry || 0;
	while (options.video) {
		const inbound = [...(await b.getStats()).values()]
			.find((s) => s.type === "inbound-rtp" && s.kind === "video");
		result.frames = inbound ? inbound.framesDecoded || 0 : 0;
		if (until && Date.now() / 1000 > until + 1) {
			enough = result.frames + options.video;
			until = 0;
		}
		if (!until && result.frames >= enough)
			break;
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
	result.pairs = [];
	for (const pc of [a, b]) {
		const stats = await pc.getStats();
		const transport = [...stats.values()].find((s) => s.type === "transport");
		const pair = stats.get(transport.selectedCandidatePairId);
		result.pairs.push({
			local: stats.get(pair.localCandidateId).candidateType,
			remote: stats.get(pair.remoteCandidateId).candidateType,
			protocol: stats.get(pair.localCandidateId).relayProtocol,
			local_address: stats.get(pair.localCandidateId).address,
			sent: pair.bytesSent,
			received: pair.bytesReceived,
		});
	}
	a.close();
	b.close();
	return result;
}

function mint(options) {
	const expiry = Math.floor(Date.now() / 1000) + options.mint.ttl;
	const username = `${expiry}:${options.mint.user}`;
	const credential = crypto.createHmac("sha1", options.mint.secret).update(username).digest("base64");
	options.expiry = expiry;
	options.iceServers = options.iceServers.map((s) => ({ urls: s.urls, username, credential }));
}

async function main() {
	const options = JSON.parse(process.argv[2]);
	// a secure context for getUserMedia: http on localhost is one
	const server = http.createServer((_, answer) => {
		answer.setHeader("Content-Type", "text/html");
		answer.end("<!doctype html><title>relay</title>");
	});
	await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
	const browser = await chromium.launchPersistentContext(options.profile, {
		executablePath: "/usr/bin/chromium", headless: true, args: FLAGS.concat(options.flags || []),
	});
	try {
		const page = await browser.newPage();
		page.setDefaultTimeout(options.timeout_ms);
		await page.goto(`http://localhost:${server.address().port}/`);
		let timer;
		const late = new Promise((_, reject) => {
			timer = setTimeout(() => reject(new Error("the page does not finish")), options.timeout_ms);
		});
		if (options.mint)
			mint(options);
		const result = await Promise.race([page.evaluate(call, options), late]);
		clearTimeout(timer);
		console.log("RESULT " + JSON.stringify(result));
	} finally {
		await browser.close();
		server.close();
	}
}

main().catch((e) => {
	console.log(String(e.stack || e));
	process.exit(1);
});
