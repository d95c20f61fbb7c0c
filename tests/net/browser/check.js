// Drives Chromium through the connection check and prints what it says: RESULT with JSON. Argument:
// JSON with url, token, flags (for Chromium), profile (a fresh directory), picture (a file, or
// nothing), timeout_ms.
"use strict";

const { chromium } = require("playwright-core");

const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync"];

async function main() {
	const options = JSON.parse(process.argv[2]);
	const faults = [];
	const browser = await chromium.launchPersistentContext(options.profile, {
		executablePath: "/usr/bin/chromium", headless: true, args: FLAGS.concat(options.flags),
	});
	try {
		const page = await browser.newPage();
		page.setDefaultTimeout(options.timeout_ms);
		page.on("console", (m) => m.type() === "error" && faults.push(m.text()));
		page.on("pageerror", (e) => faults.push(String(e.stack || e)));
		await page.goto(options.url);
		await page.getByLabel(/^Token/).fill(options.token);
		await page.keyboard.press("Enter");
		await page.locator("#report:not([hidden])").waitFor();
		await page.getByRole("button", { name: "Copy" }).click();
		await page.locator("#copied", { hasText: "Copied" }).waitFor();
		if (options.picture)
			await page.screenshot({ path: options.picture, fullPage: true });
		const ways = [];
		for (const row of await page.locator("#ways tbody tr").all())
			ways.push(await row.locator("th, td").allTextContents());
		console.log("RESULT " + JSON.stringify({ ways, faults, text: await page.locator("#text").inputValue(),
			said: await page.locator("#verdict p").allTextContents() }));
	} finally {
		await browser.close();
	}
}

main().catch((e) => {
	console.log(String(e.stack || e));
	process.exit(1);
});
