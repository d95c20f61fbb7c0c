// The API as the pages use it: the token, requests, the event stream. The token is in this tab's
// session storage and in the header Authorization, nowhere else.

const KEY = "taciturn-token";
const SILENCE_MS = 15000; // the server sends something each second

export const token = {
	get: () => sessionStorage.getItem(KEY) || "",
	set: (value) => sessionStorage.setItem(KEY, value),
	forget: () => sessionStorage.removeItem(KEY),
};

export class Refused extends Error {
	constructor(status, detail) {
		super(detail);
		this.status = status;
	}
}

function headers(more) {
	const all = { ...more };
	if (token.get())
		all.Authorization = "Bearer " + token.get();
	return all;
}

async function refusal(answer) {
	let detail = answer.statusText || `status ${answer.status}`;
	try {
		detail = (await answer.json()).detail || detail;
	} catch {
		// not the server's own words: a proxy's
	}
	return new Refused(answer.status, detail);
}

export async function ask(method, path, body) {
	const options = { method, headers: headers(), cache: "no-store", credentials: "omit" };
	if (body !== undefined)
		options.body = JSON.stringify(body);
	const answer = await fetch(path, options);
	if (!answer.ok)
		throw await refusal(answer);
	return answer.json();
}

function block(text, on) {
	let event = "message";
	let data = "";
	for (const line of text.split("\n")) {
		if (line.startsWith("event: "))
			event = line.slice(7);
		else if (line.startsWith("data: "))
			data += line.slice(6);
	}
	if (data)
		on(event, JSON.parse(data));
}

async function read(stop, on) {
	const answer = await fetch("/api/v1/events", {
		headers: headers({ Accept: "text/event-stream" }), cache: "no-store", credentials: "omit", signal: stop.signal,
	});
	if (!answer.ok)
		throw await refusal(answer);
	const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
	let text = "";
	for (;;) {
		const timer = setTimeout(() => stop.abort(), SILENCE_MS);
		const { done, value } = await reader.read().finally(() => clearTimeout(timer));
		if (done)
			return;
		text += value;
		for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2))
			block(text.slice(0, end), on);
	}
}

// Calls on(event, data) for ever, connecting again when the stream is lost; tell(text) says how it
// stands. Returns what ends it. Whoever is refused for the token is not tried again: refused(error).
export function listen(on, tell, refused) {
	let stop = new AbortController();
	let ended = false;
	let wait_s = 1;

	async function run() {
		while (!ended) {
			let why = "the connection was closed";
			try {
				stop = new AbortController();
				await read(stop, (event, data) => {
					wait_s = 1;
					on(event, data);
				});
			} catch (e) {
				if (!ended && (e.status === 401 || e.status === 403))
					return refused(e);
				why = e.name === "AbortError" ? "nothing is heard" : e.message;
			}
			if (ended)
				return undefined;
			tell(`lost: ${why}; again in ${wait_s} s`);
			await new Promise((resolve) => setTimeout(resolve, wait_s * 1000 * (0.75 + Math.random() / 2)));
			wait_s = Math.min(wait_s * 2, 30);
		}
		return undefined;
	}
	run();
	return () => {
		ended = true;
		stop.abort();
	};
}
