// The connection check: tries STUN and TURN over UDP, TCP and TLS with the visitor's own browser.

import { ask, token } from "./client.js";
import { $, fill, make, say } from "./dom.js";

const PATIENCE_MS = 12000;
const PROMPT_MS = 5000; // sooner than any browser gives up on a server
const NAMES = { stun: "STUN", udp: "TURN over UDP", tcp: "TURN over TCP", tls: "TURN over TLS", dtls: "TURN over DTLS" };

function kind_of(url) {
	const over_udp = !/[?&]transport=tcp/.test(url);
	if (url.startsWith("turns:"))
		return over_udp ? "dtls" : "tls";
	return over_udp ? "udp" : "tcp";
}

// What there is to try: every URI alone, and a STUN request to each that is served over UDP.
function ways_of(servers) {
	const all = [];
	for (const { urls, username, credential } of servers)
		for (const url of urls) {
			const kind = kind_of(url);
			const place = url.replace(/^turns?:/, "").replace(/\?.*/, "");
			if (kind === "udp")
				all.push({ kind: "stun", place, server: { urls: ["stun:" + place] } });
			all.push({ kind, place, server: { urls: [url], username, credential } });
		}
	return all.sort((a, b) => Object.keys(NAMES).indexOf(a.kind) - Object.keys(NAMES).indexOf(b.kind));
}

// Gathers candidates with these servers. Resolves when `enough` says so, when the browser has
// finished, or when patience is at its end.
async function gather(servers, relay, enough) {
	const pc = new RTCPeerConnection({ iceServers: servers, iceTransportPolicy: relay ? "relay" : "all" });
	const got = { candidates: [], error: "", complete: false, ms: 0 };
	const begun = performance.now();
	let timer;

	pc.createDataChannel("check");
	const done = new Promise((resolve) => {
		timer = setTimeout(resolve, PATIENCE_MS);
		pc.onicecandidateerror = (e) => { got.error = `${e.errorCode} ${e.errorText}`.trim(); };
		pc.onicecandidate = (e) => {
			if (e.candidate && e.candidate.candidate) {
				got.candidates.push(e.candidate);
				if (enough(e.candidate))
					resolve();
			}
		};
		pc.onicegatheringstatechange = () => {
			got.complete = pc.iceGatheringState === "complete";
			if (got.complete)
				resolve();
		};
	});
	await pc.setLocalDescription();
	await done;
	got.ms = performance.now() - begun;
	clearTimeout(timer);
	pc.close();
	return got;
}

// Without a NAT a browser may have no candidate of STUN's to tell of: that it was answered shows in
// that it finished soon, without an error.
async function try_way(way) {
	const wanted = way.kind === "stun" ? "srflx" : "relay";
	const got = await gather([way.server], wanted === "relay", (c) => c.type === wanted);
	const found = got.candidates.find((c) => c.type === wanted);

	way.ok = Boolean(found) || (way.kind === "stun" && got.complete && !got.error && got.ms < PROMPT_MS &&
		got.candidates.length > 0);
	way.ms = Math.round(got.ms);
	way.why = way.ok ? "" : got.error || "no answer";
	way.from = wanted === "srflx" && found ? found.address : "";
}

// One socket, asked about at several addresses of the server: a NAT that maps each anew has
// several ports for it. Null where there are not two addresses to ask.
async function maps_anew(ways) {
	const urls = ways.filter((w) => w.kind === "stun" && !w.place.startsWith("[")).map((w) => w.server.urls[0]);
	if (urls.length < 2)
		return null;
	const got = await gather([{ urls }], false, () => false);
	const ports = new Map();
	for (const c of got.candidates.filter((x) => x.type === "srflx"))
		ports.set(c.address, (ports.get(c.address) || new Set()).add(c.port));
	return [...ports.values()].some((p) => p.size > 1);
}

function verdict(ways, symmetric) {
	const tried = (k) => ways.some((w) => w.kind === k);
	const works = (k) => ways.some((w) => w.kind === k && w.ok);
	const good = ways.filter((w) => w.ok && w.kind !== "stun");
	const out = [];

	if (!good.length)
		return ["Nothing gets through: calls that need this relay fail from here."];
	if (works("udp"))
		out.push("UDP works: the best way for calls.");
	else if (tried("udp"))
		out.push("UDP is blocked: calls go over TCP, with more delay when packets are lost.");
	if (good.every((w) => /:443$/.test(w.place)))
		out.push("Only port 443 gets through.");
	if (tried("tcp") && !works("tcp"))
		out.push("Plain TCP is blocked.");
	if (tried("tls") && !works("tls"))
		out.push("TLS does not work: it is blocked, or the server's certificate is not trusted here.");
	if (symmetric)
		out.push("Your network gives each destination another port (symmetric NAT): calls need the relay.");
	return out;
}

function text_of(ways, said) {
	return [`Connection check of ${location.host}, ${new Date().toISOString()}`, navigator.userAgent, "",
		...ways.map((w) => `${NAMES[w.kind]} ${w.place}: ${w.ok ? "works" : "fails"}, ${w.ms} ms` +
			(w.from ? `, seen from ${w.from}` : "") + (w.why ? `, ${w.why}` : "")), "", ...said].join("\n");
}

function result_of(way) {
	if (way.ok === undefined)
		return "trying";
	if (way.ok)
		return way.from ? `works, seen from ${way.from}` : "works";
	return `fails: ${way.why}`;
}

function show(ways) {
	fill($("ways").tBodies[0], ways, (w) => `${w.kind} ${w.place}`, (w) => [
		[NAMES[w.kind], "", ""], [w.place, "", "Address"], [result_of(w), "", "Result"],
		[w.ok === undefined ? "" : `${w.ms} ms`, "n", "Time"],
	]);
	ways.forEach((w, i) => {
		const cell = $("ways").tBodies[0].rows[i].cells[2];
		cell.classList.toggle("good", w.ok === true);
		cell.classList.toggle("bad", w.ok === false);
	});
}

async function run() {
	const minted = token.get() ? await ask("POST", "/api/v1/credentials", { user: "check", ttl: 120 }) :
		await ask("POST", "/api/v1/check");
	const ways = ways_of(minted.iceServers);

	$("found").hidden = false;
	$("report").hidden = true;
	$("verdict").replaceChildren(make("p", {}, "Trying; this takes up to 20 seconds."));
	show(ways);
	await Promise.all(ways.map((w) => try_way(w).then(() => show(ways))));
	const said = verdict(ways, await maps_anew(ways));
	$("verdict").replaceChildren(...said.map((s) => make("p", {}, s)));
	$("text").value = text_of(ways, said);
	$("report").hidden = false;
}

const REFUSALS = { 401: "The server does not know this token.", 404: "A token is needed here." };

$("start").addEventListener("submit", async (e) => {
	e.preventDefault();
	token.set($("token").value.trim());
	say($("error"), "");
	$("run").disabled = true;
	try {
		await run();
	} catch (x) {
		say($("error"), REFUSALS[x.status] || x.message);
	}
	$("run").disabled = false;
});

// The clipboard is there for pages over HTTPS; else what is selected is copied.
$("copy").addEventListener("click", async () => {
	$("text").select();
	try {
		await navigator.clipboard.writeText($("text").value);
		say($("copied"), "Copied.");
	} catch {
		say($("copied"), document.execCommand("copy") ? "Copied." : "Selected: copy it with the keyboard.");
	}
});
$("token").value = token.get();
