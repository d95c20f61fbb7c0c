// Drives Chromium: one page with the call of call.js. Prints one line of JSON. Argument: JSON with
// iceServers, messages, video (frames to decode, 0: no video), profile (a fresh directory),
// timeout_ms, and where the credential is to run out during the call: mint {secret, user, ttl}, made
// when the page is ready; flags for Chromium besides its own; gather_only: no call, only what
// candidates there are; visit: the page to call from, instead of an empty one, and tell its text.
"use strict";

const crypto = require("crypto");
const http = require("http");
const { chromium } = require("playwright-core");
const call = require("./call.js");

const FLAGS = [
	"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-sync",
	"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
];

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
		await page.goto(options.visit || `http://localhost:${server.address().port}/`);
		let timer;
		const late = new Promise((_, reject) => {
			timer = setTimeout(() => reject(new Error("the page does not finish")), options.timeout_ms);
		});
		if (options.mint)
			mint(options);
		const result = await Promise.race([page.evaluate(call, options), late]);
		clearTimeout(timer);
		result.page = await page.innerText("body");
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
