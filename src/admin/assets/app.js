// The dashboard: signs in, listens to the event stream, keeps the last hour, shows what is.

import * as act from "./act.js";
import { Chart, TRANSPORTS } from "./chart.js";
import { ask, listen, token } from "./client.js";
import { $, bits, bytes, count, fill, make, say, span } from "./dom.js";
import * as sessions from "./sessions.js";

// Errors and drops in words; a code that is not here is shown as it is.
const REASONS = {
	"errors.300": "try another server", "errors.400": "request malformed", "errors.401": "no, wrong or old credentials",
	"errors.403": "peer forbidden", "errors.420": "attribute not understood", "errors.437": "no such allocation, or there already",
	"errors.438": "nonce went stale", "errors.440": "address family not supported", "errors.441": "credentials of another user",
	"errors.442": "transport not supported", "errors.443": "peer of another family", "errors.446": "connection exists already",
	"errors.447": "connection to the peer failed", "errors.486": "quota reached", "errors.500": "fault of the server",
	"errors.508": "no port free, or draining",
	"drops.junk": "neither STUN nor data", "drops.malformed": "malformed", "drops.fingerprint": "wrong fingerprint",
	"drops.truncated": "too large", "drops.method": "method not served", "drops.no_session": "no allocation",
	"drops.no_channel": "channel not bound", "drops.no_permission": "no permission", "drops.own_port": "own address, no port live",
	"drops.family": "wrong family", "drops.bandwidth": "above the bandwidth limit", "drops.send": "kernel did not take it",
	"drops.queue": "client's queue full", "drops.overflow": "relay socket's queue full", "drops.record": "longer than a DTLS record", "drops.throttled": "source over its ration",
	"auth.reject": "credentials wrong or expired", "auth.error": "users' database away",
};
const rate = new Chart($("chart-rate"), "Bits per second relayed over the last hour, by the client's transport", bits);
const number = new Chart($("chart-count"), "Sessions over the last hour, by the client's transport", (n) => count(Math.round(n)));
let last = null; // totals
let first_errors = null;
let rate_bps = 0;
let whole = {}; // the last full status: stores, listeners
let stop = null;
let timers = [];
let soon = null;

function tile(name, value, kind) {
	let box = $("tile-" + name.replace(/\W/g, "-"));
	if (!box) {
		box = make("dd", { id: "tile-" + name.replace(/\W/g, "-") });
		$("tiles").append(make("div", {}, make("dt", {}, name), box));
	}
	box.className = kind || "";
	say(box, value);
}

const port_sums = (s) => s.ports.reduce((sum, p) => ({ used: sum.used + p.used, total: sum.total + p.total }), { used: 0, total: 0 });

// One button in the other's place; the focus does not get lost with it.
function swap(one, other, is_other) {
	const had = document.activeElement;

	one.hidden = is_other;
	other.hidden = !is_other;
	if (had === one && is_other)
		other.focus();
	if (had === other && !is_other)
		one.focus();
}

function tiles(s) {
	const ports = port_sums(s);

	tile("State", s.state, s.state === "serving" ? "good" : "bad");
	tile("Sessions", count(s.sessions.now));
	tile("Relayed now", bits(rate_bps));
	tile("Connections", count(s.connections.now));
	tile("Ports used", ports.total ? `${(100 * ports.used / ports.total).toFixed(1)} %` : "-");
	tile("Up for", span(s.uptime_s));
	swap($("drain"), $("undrain"), s.state === "draining");
}

function reasons(s) {
	const all = {};
	for (const group of ["errors", "drops"])
		for (const [name, n] of Object.entries(s[group]))
			all[`${group}.${name}`] = n;
	all["auth.reject"] = s.auth.reject;
	all["auth.error"] = s.auth.error;
	return all;
}

function errors(s) {
	const now = reasons(s);
	first_errors = first_errors || now;
	const rows = Object.entries(now).filter(([, n]) => n).map(([name, n]) => ({ name, n, here: n - (first_errors[name] || 0) }))
		.sort((a, b) => b.here - a.here || b.n - a.n);
	const title = (name) => {
		const [group, word] = name.split(".");
		const kind = { errors: word, drops: "dropped", auth: "authentication" }[group];
		return `${kind}: ${REASONS[name] || word.replace(/_/g, " ")}`;
	};
	fill($("errors").tBodies[0], rows.length ? rows : [{ name: "", here: "", n: "" }], (r) => r.name, (r) => [
		[r.name ? title(r.name) : "None."], [r.here === "" ? "" : count(r.here), "n"], [r.n === "" ? "" : count(r.n), "n"],
	]);
}

function ports(s) {
	fill($("ports").tBodies[0], s.ports, (p) => p.address, (p) => [
		[p.address],
		[() => [make("meter", { min: 0, max: p.total, "aria-label": `Ports used of ${p.address}` })]],
		[`${count(p.used)} of ${count(p.total)}`, "n"],
	]);
	s.ports.forEach((p, i) => { $("ports").tBodies[0].rows[i].querySelector("meter").value = p.used; });
}

function certificate(c, now) {
	if (!c)
		return "none: no TLS";
	const days = (c.expires_at - now) / 86400;
	const at = new Date(c.expires_at * 1000).toISOString().slice(0, 10);
	return days < 0 ? `expired on ${at}` : `expires ${at}, in ${Math.floor(days)} ${Math.floor(days) === 1 ? "day" : "days"}`;
}

function store(x) {
	const name = `Store ${x.kind} (${x.used_for})`;
	const how = x.up ? "up" : `down${x.needed ? ", needed" : ""}${x.why ? ": " + x.why : ""}`;
	return [name, x.waiting ? `${how}; ${x.waiting} waiting` : how, !x.up];
}

function listeners(transport) {
	return (whole.listeners || []).filter((l) => l.transport === transport).map((l) => l.address).join(", ");
}

function server(s) {
	const p = s.process;
	const rows = [
		["Version", s.version], ["Realm", s.realm],
		["Certificate", certificate(s.certificate, s.now_at), s.certificate && s.certificate.expires_at < s.now_at + 7 * 86400],
		...s.workers_lag_s.map((lag, i) => [`Worker ${i}`, `${(lag * 1000).toFixed(1)} ms behind`, lag > 0.1]),
		...(whole.stores || []).map(store),
		...(whole.stores && !whole.stores.length ? [["Stores", "none configured"]] : []),
		["Memory", bytes(p.resident_bytes)], ["Descriptors", `${count(p.fds)} of ${count(p.max_fds)}`, p.fds > 0.9 * p.max_fds],
		["Event streams", `${s.streams.now} of ${s.streams.max}`],
		...["udp", "tcp"].map((t) => [`Listens, ${t}`, listeners(t)]).filter((r) => r[1]),
	];
	fill($("server").tBodies[0], rows, (r) => r[0], (r) => [[r[0]], [r[1]]]);
	rows.forEach((r, i) => $("server").tBodies[0].rows[i].cells[1].classList.toggle("bad", Boolean(r[2])));
}

// What was relayed since the totals before, by transport. A server that began anew begins a new hour.
function sample(s) {
	if (last && last.epoch !== s.epoch) {
		last = first_errors = null;
		rate.clear();
		number.clear();
	}
	if (last && s.now_at > last.now_at) {
		const of = (x, t) => x.by_transport[t].up.bytes + x.by_transport[t].down.bytes;
		const values = TRANSPORTS.map((t) => Math.max(0, of(s, t) - of(last, t)) * 8 / (s.now_at - last.now_at));
		rate_bps = values.reduce((a, b) => a + b);
		rate.add(s.now_at, values);
	}
	if (!last || s.now_at > last.now_at)
		number.add(s.now_at, TRANSPORTS.map((t) => s.sessions.by_transport[t]));
	last = s;
}

function totals(s) {
	sample(s);
	tiles(s);
	errors(s);
	ports(s);
	server(s);
	say($("node"), s.node);
	if (!document.hidden) {
		rate.draw();
		number.draw();
	}
}

function link(text, good) {
	$("link").className = `pill ${good ? "good" : "bad"}`;
	say($("link"), text);
}

// Many events at once make one list.
function list_soon() {
	soon = soon || setTimeout(() => {
		soon = null;
		sessions.list();
	}, 300);
}

function on_event(event, data) {
	link("live", true);
	if (event === "totals")
		totals(data);
	else if (event === "state")
		act.show(`The server is ${data.state} now.`);
	else
		list_soon(); // hello, opened, ended, lost
}

async function get_status() {
	try {
		whole = await ask("GET", "/api/v1/status");
	} catch {
		// the stream tells how the connection stands
	}
}

// What happened before this page was opened.
async function get_history() {
	let h;
	try {
		h = await ask("GET", "/api/v1/history");
	} catch {
		return; // an hour without a past
	}
	h.at.forEach((at, i) => {
		rate.past(at, h.step_s, h.relayed_bps[i]);
		number.past(at, h.step_s, h.sessions[i]);
	});
}

function leave(text) {
	if (stop)
		stop();
	stop = null;
	timers.forEach(clearInterval);
	timers = [];
	token.forget();
	$("board").hidden = $("leave").hidden = true;
	$("enter").hidden = false;
	say($("enter-error"), text);
	link("not connected", false);
	$("token").focus();
}

async function enter() {
	rate.clear();
	number.clear();
	await get_history();
	$("enter").hidden = true;
	$("board").hidden = $("leave").hidden = false;
	say($("enter-error"), "");
	totals(whole);
	sessions.list();
	sessions.users();
	stop = listen(on_event, (text) => link(text, false), (e) => leave(e.message));
	const every = (s, run) => timers.push(setInterval(() => document.hidden || run(), s * 1000));
	every(5, sessions.list);
	every(10, sessions.users);
	every(10, get_status);
}

const REFUSALS = { 401: "The server does not know this token.", 403: "This token's role may not look: read or admin is needed.",
	404: "The server has no tokens: set http-token." };

async function try_token() {
	try {
		whole = await ask("GET", "/api/v1/status");
	} catch (e) {
		leave(REFUSALS[e.status] || e.message);
		return;
	}
	enter();
}

sessions.start();
$("enter-form").addEventListener("submit", (e) => {
	e.preventDefault();
	token.set($("token").value.trim());
	$("token").value = "";
	try_token();
});
$("leave").addEventListener("click", () => leave(""));
$("drain").addEventListener("click", act.drain);
$("undrain").addEventListener("click", act.undrain);
$("reload").addEventListener("click", act.reload);
if (token.get())
	try_token();
else
	$("token").focus();
