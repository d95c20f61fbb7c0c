// A stacked area of four series over the last hour, drawn as SVG. One sample a second is kept.

import { make, say } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const KEPT_S = 3600;
const LEAST_S = 60;
const LEAST_STEP_S = 2; // a sample comes each second: no part of the time stays without one
const POINTS = 180;
const W = 600, H = 180, LEFT = 4, TOP = 22, BOTTOM = 20;
export const TRANSPORTS = ["udp", "tcp", "tls", "dtls"];

function shape(name, attributes, parent) {
	const e = document.createElementNS(NS, name);
	for (const [key, value] of Object.entries(attributes))
		e.setAttribute(key, value);
	parent.append(e);
	return e;
}

// The next of 1, 2, 5, 10, 20, ...
function round_up(value) {
	const ten = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
	return [1, 2, 5, 10].map((n) => n * ten).find((n) => n >= value) || 10 * ten;
}

export class Chart {
	constructor(place, title, text) {
		this.text = text;
		this.samples = [];
		this.svg = shape("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": title }, place);
		for (const part of [0, 0.5, 1]) {
			const y = TOP + (H - TOP - BOTTOM) * part;
			shape("line", { x1: 0, x2: W, y1: y, y2: y, class: "grid" }, this.svg);
		}
		this.areas = TRANSPORTS.map((t) => shape("path", { class: "area " + t }, this.svg));
		this.top = shape("text", { x: LEFT, y: TOP - 6, class: "mark" }, this.svg);
		this.from = shape("text", { x: LEFT, y: H - 5, class: "mark" }, this.svg);
		shape("text", { x: W - LEFT, y: H - 5, class: "mark end" }, this.svg).textContent = "now";
		const legend = make("ul", { class: "legend" });
		this.legend = TRANSPORTS.map((t) => {
			const value = make("b", {}, text(0));
			legend.append(make("li", {}, make("span", { class: "dot " + t }), t.toUpperCase() + " ", value));
			return value;
		});
		place.append(legend);
	}

	add(at, values) {
		this.samples.push({ at, values });
		while (this.samples[0].at < at - KEPT_S)
			this.samples.shift();
		values.forEach((v, i) => say(this.legend[i], this.text(v)));
	}

	// What the server kept of the time before this page: a sample for each second of its step.
	past(at, step_s, values) {
		for (let s = step_s - 1; s >= 0; s--)
			this.samples.push({ at: at - s, values });
	}

	clear() {
		this.samples = [];
	}

	// Means of equal parts of the time shown. Where the connection was lost there is none: null.
	parts(begin, step, n_parts) {
		const sums = Array.from({ length: n_parts }, () => null);
		for (const { at, values } of this.samples) {
			const i = Math.min(n_parts - 1, Math.floor((at - begin) / step));
			if (i < 0)
				continue;
			sums[i] = sums[i] || { n: 0, v: TRANSPORTS.map(() => 0) };
			sums[i].n++;
			values.forEach((v, k) => { sums[i].v[k] += v; });
		}
		return sums.map((s) => s && s.v.map((v) => v / s.n));
	}

	draw() {
		if (!this.samples.length)
			return;
		const last = this.samples[this.samples.length - 1].at;
		const shown_s = Math.min(KEPT_S, Math.max(LEAST_S, last - this.samples[0].at));
		const n_parts = Math.floor(Math.min(POINTS, shown_s / LEAST_STEP_S));
		const parts = this.parts(last - shown_s, shown_s / n_parts, n_parts);
		const most = round_up(Math.max(1, ...parts.map((p) => (p ? p.reduce((a, b) => a + b) : 0))));
		const x = (i) => (i * W / (n_parts - 1)).toFixed(1);
		const y = (v) => (H - BOTTOM - v / most * (H - TOP - BOTTOM)).toFixed(1);
		let below = parts.map(() => 0);

		TRANSPORTS.forEach((_, k) => {
			const above = parts.map((p, i) => below[i] + (p ? p[k] : 0));
			const edge = above.map((v, i) => `${x(i)},${y(v)}`);
			const base = below.map((v, i) => `${x(i)},${y(v)}`).reverse();
			this.areas[k].setAttribute("d", `M${edge.join("L")}L${base.join("L")}Z`);
			below = above;
		});
		say(this.top, this.text(most));
		say(this.from, `${Math.round(shown_s / 60)} min ago`);
	}
}
