// Drives Chromium through the dashboard, as somebody at the keyboard would. What it has come to is
// said in lines: SEEN, ENDED, DRAINED, LEAVING, LOST; at last RESULT with JSON. Argument: JSON with url, wrong, token,
// odd (a user's name as it must be shown), client (the address of the session to look at), profile
// (a fresh directory), pictures (a directory, or nothing), timeout_ms.
"use strict";

const path = require("path");
const { chromium } = require("playwright-core");

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync"];
const options = JSON.parse(process.argv[2]);

// Waits for what no event tells of.
async function until(what, condition) {
	const deadline = Date.now() + options.timeout_ms;
	for (;;) {
		const value = await condition();
		if (value)
			return value;
		if (Date.now() > deadline)
			throw new Error("never: " + what);
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
}

async function picture(page, name) {
	if (options.pictures)
		await page.screenshot({ path: path.join(options.pictures, `dashboard-${name}.png`), fullPage: true });
}

async function pictures(page) {
	if (!options.pictures)
		return;
	for (const scheme of ["light", "dark"]) {
		await page.emulateMedia({ colorScheme: scheme });
		await picture(page, scheme);
	}
	await page.setViewportSize({ width: 390, height: 844 });
	await picture(page, "narrow");
	await page.emulateMedia({ colorScheme: "light" });
	await page.setViewportSize({ width: 1280, height: 900 });
}

async function sign_in(page, result, faults) {
	await page.goto(options.url);
	await page.keyboard.type(options.wrong);
	await page.keyboard.press("Enter");
	result.refusal = await until("a refusal", () => page.locator("#enter-error").textContent());
	result.before = faults.splice(0);
	await page.getByLabel(/^Token/).fill(options.token);
	await page.keyboard.press("Enter");
}

async function look(page, result) {
	const rows = page.locator("#sessions tbody tr");

	await until("four sessions", async () => (await rows.count()) === 4);
	console.log("SEEN");
	await until("the fifth session", async () => (await rows.count()) === 5);
	result.odd = await rows.filter({ hasText: options.odd }).count();
	result.images = await page.locator("img").count();
	await until("traffic", async () => (await page.locator("#tile-Relayed-now").textContent()) !== "0 bit/s");
	result.users = await until("the users", () => page.locator("#users tbody th").allTextContents());
	result.errors = await page.locator("#errors tbody tr", { hasText: "401" }).textContent();
	await pictures(page);
	await page.getByRole("button", { name: `Details of alice, ${options.client}` }).focus();
	await page.keyboard.press("Enter");
	result.detail = await until("details", () => page.locator("#detail[open] #detail-body").textContent());
	await picture(page, "detail");
	await page.keyboard.press("Escape");
	await page.getByLabel("User", { exact: true }).fill("bob");
	await page.keyboard.press("Enter");
	await until("one session of bob's", async () => (await rows.count()) === 1);
	result.filtered = await rows.first().locator("th").textContent();
}

async function end_one(page, result) {
	const dialog = page.locator("#confirm[open]");

	await page.getByRole("button", { name: /^End bob/ }).click();
	await dialog.getByRole("button", { name: "Cancel" }).click();
	result.kept = await page.locator("#sessions tbody tr").count();
	await page.getByRole("button", { name: /^End bob/ }).click();
	await dialog.getByRole("button", { name: "End it" }).click();
	await until("bob's session ends", async () => (await page.locator("#sessions tbody tr").count()) === 0);
	result.focus = await page.evaluate(() => document.activeElement.id);
	result.ended = await page.locator("#result").textContent();
	await page.getByRole("button", { name: "Clear" }).click();
	await until("the others", async () => (await page.locator("#sessions tbody tr").count()) === 4);
	console.log("ENDED");
}

async function drain(page, result) {
	const state = page.locator("#tile-State");

	await page.getByRole("button", { name: "Reload" }).click();
	await page.locator("#confirm[open]").getByRole("button", { name: "Reload" }).click();
	result.reloaded = await until("it reloaded", async () =>
		/^Reloaded.*/.exec(await page.locator("#result").textContent())?.[0]);
	await page.getByRole("button", { name: "Drain", exact: true }).click();
	await page.locator("#confirm[open]").getByRole("button", { name: "Drain" }).click();
	await until("it drains", async () => (await state.textContent()) === "draining");
	console.log("DRAINED");
	await until("the refusal among the errors", () => page.locator("#errors tbody tr", { hasText: "508" }).count());
	await page.getByRole("button", { name: "Stop draining" }).click();
	await page.locator("#confirm[open]").getByRole("button", { name: "Serve again" }).click();
	await until("it serves again", async () => (await state.textContent()) === "serving");
}

// The server goes and another comes: the page finds it.
async function restart(page, result) {
	const link = page.locator("#link");

	console.log("LEAVING");
	result.lost = await until("the connection is lost", async () => /^lost.*/.exec(await link.textContent())?.[0]);
	console.log("LOST");
	await until("the connection is back", async () => (await link.textContent()) === "live");
	await until("no session", async () => (await page.locator("#sessions tbody tr").count()) === 0);
}

async function main() {
	const browser = await chromium.launchPersistentContext(options.profile, {
		executablePath: "/usr/bin/chromium", headless: true, args: FLAGS, viewport: { width: 1280, height: 900 },
	});
	const result = { urls: [] };
	const faults = [];
	try {
		const page = await browser.newPage();
		page.setDefaultTimeout(options.timeout_ms);
		page.on("console", (m) => ["error", "warning"].includes(m.type()) && faults.push(m.text()));
		page.on("pageerror", (e) => faults.push(String(e.stack || e)));
		page.on("request", (r) => result.urls.push(r.url()));
		try {
			await sign_in(page, result, faults);
			await look(page, result);
			await end_one(page, result);
			await drain(page, result);
			result.wide = await page.evaluate(() => document.documentElement.scrollWidth);
			await page.setViewportSize({ width: 390, height: 844 });
			result.narrow = await page.evaluate(() => document.documentElement.scrollWidth);
			result.stored = await page.evaluate(() => [localStorage.length, document.cookie, sessionStorage.length]);
		} catch (e) {
			await picture(page, "failed");
			console.log(faults.join("\n"));
			throw e;
		}
		result.faults = faults.splice(0);
		await restart(page, result);
		console.log("RESULT " + JSON.stringify(result));
	} finally {
		await browser.close();
	}
}

main().catch((e) => {
	console.log(String(e.stack || e));
	process.exit(1);
});
