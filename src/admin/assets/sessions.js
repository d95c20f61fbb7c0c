// The table of sessions with its filter and pages, one session's legs, and the users with most traffic.

import * as act from "./act.js";
import { ask } from "./client.js";
import { $, bytes, count, fill, make, say, span } from "./dom.js";

const PAGE = 25;
const USERS = 10;
const USER_PAGES = 5; // of 1000 sessions, for the sums of users
const listed = new Map(); // id -> session of this page
let cursors = [""]; // of the pages up to this one
let next = null;
let asked = 0;
let shown = null; // the id in the dialog

function query() {
	const q = new URLSearchParams({ limit: PAGE });
	for (const [name, value] of new FormData($("filter")))
		if (value.trim())
			q.set(name, value.trim());
	if (cursors.at(-1))
		q.set("cursor", cursors.at(-1));
	return q;
}

// Buttons of a row look the session up when they are pressed: the row stays, its figures change.
function buttons(id) {
	const details = make("button", { type: "button" }, "Details");
	const end = make("button", { type: "button", class: "danger" }, "End");
	const who = listed.get(id);

	details.setAttribute("aria-label", `Details of ${who.user || "nobody"}, ${who.client}`);
	end.setAttribute("aria-label", `End ${who.user || "nobody"}, ${who.client}`);
	details.addEventListener("click", () => open(id));
	end.addEventListener("click", () => end_one(listed.get(id) || who));
	return [make("div", { class: "actions" }, details, end)];
}

// The button that was pressed goes with its row: the focus goes to the heading.
async function end_one(s) {
	if (!await act.end(s))
		return;
	$("detail").close();
	await list();
	$("h-sessions").focus();
}

// The share that was lost on each leg; - where no RTP was seen.
function lost(s) {
	const of = (leg) => (leg && leg.received + leg.lost ? `${(100 * leg.lost / (leg.received + leg.lost)).toFixed(1)} %` : "-");
	const q = s.quality || {};

	return q.client && (q.client.received || q.peer.received) ? `${of(q.client)} / ${of(q.peer)}` : "-";
}

function cells(s) {
	return [
		[s.user || "(none)", "", ""],
		[s.client, "", "Client"],
		[s.transport + (s.relays === "tcp" ? ", relays TCP" : ""), "", "Transport"],
		[s.state, "", "State"],
		[span(s.age_s), "n", "Age"],
		[bytes(s.up.bytes), "n", "To peers"],
		[bytes(s.down.bytes), "n", "To client"],
		[lost(s), "n", "Lost, client / peer"],
		[() => buttons(s.id), "", ""],
	];
}

// An answer that was overtaken by a later question is dropped.
export async function list() {
	const mine = ++asked;
	let page;

	try {
		page = await ask("GET", "/api/v1/sessions?" + query());
	} catch (e) {
		if (mine === asked)
			say($("matched"), `No list: ${e.message}`);
		return;
	}
	if (mine !== asked)
		return;
	listed.clear();
	page.sessions.forEach((s) => listed.set(s.id, s));
	fill($("sessions").tBodies[0], page.sessions, (s) => s.id, cells);
	next = page.next;
	$("next").disabled = next === null;
	$("back").disabled = cursors.length === 1;
	say($("matched"), `${count(page.matched)} ${page.matched === 1 ? "session" : "sessions"}, page ${cursors.length}`);
}

function restart() {
	cursors = [""];
	list();
}

// --- one session

function facts(pairs) {
	const body = make("tbody");
	fill(body, pairs.filter(([, value]) => value !== undefined && value !== ""), (p) => p[0], ([name, value]) => [[name], [value]]);
	return make("table", {}, body);
}

// quality.client and quality.peer, when the server measures: what came over that leg.
function quality(leg) {
	if (!leg)
		return [];
	if (leg.received === null)
		return [["RTP", "none seen"], ["Round trip", typeof leg.rtt_ms === "number" ? `${leg.rtt_ms} ms` : ""]];
	const all = leg.received + leg.lost;
	return [
		["Lost on the way here", `${all ? (100 * leg.lost / all).toFixed(2) : "0.00"} % (${count(leg.lost)} of ${count(all)})`],
		["Jitter", `${Number(leg.jitter_ms).toFixed(1)} ms`],
		["Round trip", typeof leg.rtt_ms === "number" ? `${leg.rtt_ms} ms` : ""],
	];
}

function legs(s) {
	const q = s.quality || {};
	const body = make("tbody");
	const more = s.peers_more ? [make("p", { class: "quiet" }, `and ${s.peers_more} more`)] : [];

	fill(body, s.peers, (p) => `${p.address} ${p.channel}`, (p) => [
		[p.address], [p.channel === null ? "permission" : "channel 0x" + p.channel.toString(16)], [span(p.expires_s), "n"],
	]);
	return [
		facts([["Id", s.id], ["User", s.user], ["Username", s.username === s.user ? "" : s.username], ["Realm", s.realm],
			["State", s.state], ["Worker", s.worker], ["Age", span(s.age_s)], ["Expires in", span(s.expires_s)],
			["Dropped packets", count(s.dropped)]]),
		make("div", { class: "legs" }, make("div", {}, make("h3", {}, "Leg of the client"),
		facts([["Client", s.client], ["Server", s.server], ["Transport", s.transport],
			["To the client", `${bytes(s.down.bytes)}, ${count(s.down.packets)} packets`], ...quality(q.client)])), make("div", {}, make("h3", {}, "Leg of the peers"),
		facts([["Relayed address", s.relayed.join(", ")], ["Relays", s.relays],
			["To peers", `${bytes(s.up.bytes)}, ${count(s.up.packets)} packets`], ...quality(q.peer)]))),
		make("h3", {}, "Peers"),
		s.peers.length ? make("table", {}, body) : make("p", { class: "quiet" }, "None yet."), ...more,
	];
}

async function refresh() {
	const id = shown;
	let inside;

	if (id === null)
		return;
	try {
		inside = legs(await ask("GET", "/api/v1/sessions/" + encodeURIComponent(id)));
	} catch (e) {
		inside = [make("p", { class: "bad" }, e.status === 404 ? "This session has ended." : e.message)];
	}
	if (shown === id)
		$("detail-body").replaceChildren(...inside);
}

async function open(id) {
	shown = id;
	say($("detail-title"), `Session of ${listed.get(id)?.user || "nobody"}`);
	$("detail-body").replaceChildren();
	await refresh();
	$("detail").showModal();
	$("detail-close").focus();
}

// --- users

async function sessions_of_all() {
	const all = [];
	let cursor = "";
	let matched = 0;

	for (let i = 0; i < USER_PAGES && cursor !== null; i++) {
		const page = await ask("GET", "/api/v1/sessions?limit=1000" + (cursor && "&cursor=" + encodeURIComponent(cursor)));
		matched = i ? matched : page.matched;
		all.push(...page.sessions);
		cursor = page.next;
	}
	return { all, whole: cursor === null, matched };
}

export async function users() {
	let got;

	try {
		got = await sessions_of_all();
	} catch (e) {
		say($("users-note"), `No list: ${e.message}`);
		return;
	}
	const sums = new Map();
	for (const s of got.all) {
		const key = JSON.stringify([s.user, s.realm]);
		const u = sums.get(key) || { key, user: s.user || "(none)", n: 0, bytes: 0 };
		u.n++;
		u.bytes += s.up.bytes + s.down.bytes;
		sums.set(key, u);
	}
	const top = [...sums.values()].sort((a, b) => b.bytes - a.bytes || b.n - a.n).slice(0, USERS);
	fill($("users").tBodies[0], top, (u) => u.key, (u) => [[u.user], [count(u.n), "n"], [bytes(u.bytes), "n"]]);
	say($("users-note"), got.whole ? "By what their sessions now open have relayed." :
		`Of the oldest ${count(got.all.length)} of ${count(got.matched)} sessions.`);
}

// --- the start

export function start() {
	$("filter").addEventListener("submit", (e) => {
		e.preventDefault();
		restart();
	});
	$("filter").addEventListener("reset", () => setTimeout(restart));
	$("next").addEventListener("click", () => {
		if (next !== null)
			cursors.push(next);
		list();
	});
	$("back").addEventListener("click", () => {
		if (cursors.length > 1)
			cursors.pop();
		list();
	});
	$("detail-close").addEventListener("click", () => $("detail").close());
	$("detail").addEventListener("close", () => { shown = null; });
	$("detail-end").addEventListener("click", () => end_one(listed.get(shown) || { id: shown, user: "", client: "" }));
	setInterval(refresh, 2000);
}
