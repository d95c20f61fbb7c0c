// Making elements, and words for figures. Text gets into the page by textContent only.

export const $ = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...inside) {
	const e = document.createElement(name);
	for (const [key, value] of Object.entries(attributes))
		e.setAttribute(key, value);
	e.append(...inside.map((x) => (x instanceof Node ? x : document.createTextNode(String(x)))));
	return e;
}

// Writes only what is new: what has the focus or is read aloud is left in peace.
export function say(e, text) {
	const words = String(text);
	if (e.textContent !== words)
		e.textContent = words;
}

// Rows of a table body: cells(row) gives [text or node, class] each. Elements are kept by key.
export function fill(body, rows, key_of, cells) {
	const old = new Map([...body.children].map((tr) => [tr.dataset.key, tr]));
	rows.forEach((row, i) => {
		const key = String(key_of(row));
		const tr = old.get(key) || make("tr", { "data-key": key });
		old.delete(key);
		cells(row).forEach(([what, kind, label], n) => {
			let td = tr.children[n];
			if (!td) {
				td = make(n === 0 ? "th" : "td", n === 0 ? { scope: "row" } : {});
				if (kind)
					td.className = kind;
				if (label)
					td.dataset.label = label;
				tr.append(td);
			}
			if (!(what instanceof Function))
				say(td, what);
			else if (!td.firstChild)
				td.append(...what());
		});
		if (body.children[i] !== tr)
			body.insertBefore(tr, body.children[i] || null);
	});
	old.forEach((tr) => tr.remove());
}

function scaled(value, step, units) {
	let i = 0;
	for (; value >= step && i < units.length - 1; i++)
		value /= step;
	return `${i && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[i]}`;
}

export const bytes = (n) => scaled(n, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
export const bits = (n) => scaled(n, 1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
export const count = (n) => Number(n).toLocaleString("en");

export function span(s) {
	if (s < 60)
		return `${Math.floor(s)} s`;
	if (s < 3600)
		return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
	if (s < 86400)
		return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
	return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}
