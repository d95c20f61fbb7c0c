// Runs in a page of a browser, whichever it is: two peer connections that may use relayed candidates
// only, the signalling inside the page. Returns what it found.
async function call(options) {
	const config = { iceServers: options.iceServers, iceTransportPolicy: "relay" };
	const a = new RTCPeerConnection(config);
	const b = new RTCPeerConnection(config);
	const result = { received: 0, in_order: true, errors: [], candidates: [] };

	for (const [one, other] of [[a, b], [b, a]]) {
		one.onicecandidate = (e) => {
			if (!e.candidate || !e.candidate.candidate)
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
		const all = [...stats.values()];
		const transport = all.find((s) => s.type === "transport");
		// Firefox marks the pair instead
		const pair = transport ? stats.get(transport.selectedCandidatePairId) :
			all.find((s) => s.type === "candidate-pair" && s.selected);
		result.pairs.push({
			local: stats.get(pair.localCandidateId).candidateType,
			remote: stats.get(pair.remoteCandidateId).candidateType,
			protocol: stats.get(pair.localCandidateId).relayProtocol,
			local_address: stats.get(pair.localCandidateId).address,
			remote_address: stats.get(pair.remoteCandidateId).address,
			sent: pair.bytesSent,
			received: pair.bytesReceived,
		});
	}
	a.close();
	b.close();
	return result;
}

if (typeof module !== "undefined")
	module.exports = call;
