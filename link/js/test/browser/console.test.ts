// The console of the server in Chromium: run by scripts/browser. KALAM_SCREENSHOTS is a directory for pictures of it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { rootPassword, root, url } from "../server.js";

const password = "a-password-of-tests";
const pictures = process.env["KALAM_SCREENSHOTS"];
/** Texts that are markup, script or both where a page lets them. */
const nasty = [`<img src=x onerror="window.hacked=1">`, `<script>window.hacked=1</script>`, `"><svg onload=window.hacked=1>`, "javascript:window.hacked=1", `'; window.hacked=1; //`];
/** A name that this server takes for no table: the page must not rely on that. */
const table = `<b onclick="hacked=1">t`;

let browser: Browser;

before(async () => {
	await root.batch(["CREATE NAMESPACE app", "CREATE SHARED TABLE app.sales (day DATE PRIMARY KEY, eur DECIMAL(10,2), items INT)",
		`CREATE USER TABLE app.notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL, done BOOLEAN DEFAULT false)`,
		`CREATE USER 'alice' WITH PASSWORD '${password}' ROLE user`, `CREATE USER '<img src=x onerror=hacked=1>eve' WITH PASSWORD '${password}' ROLE user`,
		"INSERT INTO app.sales SELECT DATE '2026-01-01' + i::INT, 100 + 40 * sin(i / 3.0) + i, 5 + i % 7 FROM range(40) t(i)",
		"STORAGE FLUSH TABLE app.sales"]);
	await root.query(`INSERT INTO app.notes (id, body) VALUES ${nasty.map((_, i) => `(${i}, $${i + 1})`).join(", ")}`, nasty);
	browser = await chromium.launch({
		executablePath: process.env["KALAM_CHROMIUM"]!, chromiumSandbox: process.getuid?.() !== 0, args: ["--disable-dev-shm-usage"],
	});
});
after(async () => {
	await browser.close();
	root.close();
});

/** A browser of its own with the console. What the page complains about, and each request elsewhere, is an error. */
async function open(options: Parameters<Browser["newContext"]>[0] = {}): Promise<{ page: Page; context: BrowserContext; problems: string[] }> {
	const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
	const page = await context.newPage(), problems: string[] = [];
	page.on("pageerror", (err) => problems.push(`error: ${err.message}`));
	page.on("console", (m) => { if (m.type() === "error" && !/status of 40[013]/.test(m.text())) problems.push(m.text()); });
	page.on("request", (r) => { if (!r.url().startsWith(url) && !r.url().startsWith("blob:")) problems.push(`foreign request: ${r.url()}`); });
	await page.goto(`${url}/ui`);
	return { page, context, problems };
}

async function login(page: Page, user = "root", secret = rootPassword): Promise<void> {
	await page.getByLabel("User").fill(user);
	await page.getByLabel("Password").fill(secret);
	await page.getByRole("button", { name: "Log in" }).click();
	await page.getByRole("navigation").waitFor();
}

async function run(page: Page, sql: string): Promise<void> {
	const text = page.getByRole("combobox", { name: /^SQL/ });
	await text.fill(sql);
	await text.press("Control+Enter");
	await page.locator("main [aria-busy=false]").waitFor();
}

async function show(page: Page, view: string): Promise<void> {
	await page.getByRole("navigation").getByRole("link", { name: view }).click();
	await page.getByRole("heading", { level: 2 }).first().waitFor();
}

async function picture(page: Page, name: string): Promise<void> {
	if (pictures) await page.screenshot({ path: `${pictures}/${name}.png` });
}

/** Texts of less contrast than WCAG AA asks for, and things without a name; "" is none. */
function faults(page: Page): Promise<string[]> {
	return page.evaluate(() => {
		const list: string[] = [];
		const colour = (text: string) => (text.match(/[\d.]+/g) ?? []).map(Number);
		const light = (c: number[]) => c.slice(0, 3).map((v) => (v / 255 <= .03928 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i]!, 0);
		const behind = (at: Element | null): number[] => {
			for (; at; at = at.parentElement) {
				const c = colour(getComputedStyle(at).backgroundColor);
				if (c.length === 3 || c[3] === 1) return c;
			}
			return [255, 255, 255];
		};
		for (const at of document.querySelectorAll<HTMLElement>("body *")) {
			const own = [...at.childNodes].some((n) => n.nodeType === 3 && n.textContent!.trim());
			if (!own || !at.checkVisibility() || at.closest("svg, [disabled], .probe, .skip, textarea")) continue;
			const [a, b] = [light(colour(getComputedStyle(at).color)), light(behind(at))].sort((x, y) => y - x) as [number, number];
			const ratio = (a + .05) / (b + .05);
			if (ratio < 4.5) list.push(`contrast ${ratio.toFixed(2)} of "${at.textContent!.trim().slice(0, 30)}"`);
		}
		for (const at of document.querySelectorAll<HTMLElement>("button, a, input, select, textarea, svg[role=img], [role=region], [role=listbox], [role=tree]")) {
			const labels = "labels" in at ? [...((at as HTMLInputElement).labels ?? [])].map((l) => l.textContent).join("") : "";
			if (!(at.getAttribute("aria-label") || labels || at.textContent || at.title).trim()) list.push(`no name: ${at.outerHTML.slice(0, 90)}`);
		}
		const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
		if (new Set(ids).size !== ids.length) list.push(`doubled ids: ${ids}`);
		if (document.querySelectorAll("main").length !== 1) list.push("not one main");
		if (!document.documentElement.lang || !document.title) list.push("no language or title");
		if (document.documentElement.scrollWidth > innerWidth) list.push(`wider than the window: ${document.documentElement.scrollWidth}`);
		return list;
	});
}

test("a login, a wrong one, a reload, and what is kept of it in the browser", async () => {
	const { page, context, problems } = await open();
	await page.getByLabel("User").fill("alice");
	await page.getByLabel("Password").fill("wrong-password");
	await page.getByRole("button", { name: "Log in" }).click();
	await page.getByRole("alert").filter({ hasText: "Invalid" }).waitFor();
	await login(page, "alice", password);
	assert.deepEqual(await page.getByRole("navigation").getByRole("link").allTextContents(), ["SQL", "Tables", "Live", "Jobs"]);
	await run(page, "SELECT 41 + 1 AS answer");
	await page.getByRole("cell", { name: "42" }).waitFor();
	await run(page, "ALTER USER 'alice' SET PASSWORD 'another-password-1'");
	const kept = await page.evaluate(() => JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }) + document.cookie);
	assert.match(kept, /41 \+ 1/);
	assert.doesNotMatch(kept, /eyJ|another-password|password-of-tests/);
	for (const cookie of await context.cookies()) assert.ok(cookie.httpOnly && cookie.sameSite === "Strict", cookie.name);
	await page.reload();
	await page.getByText("alice (user)").waitFor();
	await run(page, "SELECT count(*) AS n FROM app.notes");
	await page.getByRole("cell", { name: "0", exact: true }).waitFor();
	await root.execute("ALTER USER 'alice' SET PASSWORD 'a-password-of-tests-2'");
	await page.getByRole("navigation").getByRole("link", { name: "Jobs" }).click();
	await page.getByText("You are logged out.").waitFor();
	await login(page, "alice", "a-password-of-tests-2");
	await page.getByRole("button", { name: "Log out" }).click();
	await page.getByText("You are logged out.").waitFor();
	await page.reload();
	await page.getByRole("button", { name: "Log in" }).waitFor();
	assert.deepEqual(problems, []);
	await context.close();
});

test("rows, names, errors and users that are markup are shown as text", async () => {
	const { page, context, problems } = await open();
	await login(page);
	await run(page, "SELECT * FROM app.notes ORDER BY id");
	for (const text of nasty) await page.getByRole("cell", { name: text, exact: true }).waitFor();
	await page.getByRole("tab", { name: "JSON" }).click();
	await page.getByText("window.hacked").first().waitFor();
	await run(page, `SELECT '<img src=x onerror=hacked=1>' AS "<script>hacked=1</script>", "<b>none</b>" FROM app.notes`);
	await page.getByRole("alert").filter({ hasText: "<b>none</b>" }).waitFor();
	await run(page, `SELECT 1 AS "<img src=x onerror=hacked=1>"`);
	await page.getByRole("button", { name: "<img src=x onerror=hacked=1>" }).waitFor();
	await run(page, `EXPLAIN SELECT * FROM app.notes WHERE body = '<img src=x onerror=hacked=1>'`);
	await page.getByRole("treeitem").first().waitFor();
	await page.route("**/v1/api/sql", async (route) => {
		const answer = await route.fetch();
		await route.fulfill({ response: answer, body: (await answer.text()).replaceAll('"notes"', JSON.stringify(table)).replaceAll('"body"', '"<i>col</i>"') });
	});
	await show(page, "Tables");
	await page.getByRole("button", { name: table }).click();
	await page.getByRole("cell", { name: "<i>col</i>" }).waitFor();
	await page.unrouteAll({ behavior: "wait" });
	await show(page, "Users");
	await page.getByRole("cell", { name: "<img src=x onerror=hacked=1>eve", exact: true }).waitFor();
	await show(page, "Live");
	await page.getByLabel("Live query").fill("SELECT * FROM app.notes");
	await page.getByRole("button", { name: "Start" }).click();
	await page.getByRole("cell", { name: nasty[0]!, exact: true }).waitFor();
	await root.query("UPDATE app.notes SET body = '<img src=y onerror=hacked=1>' WHERE id = 0");
	await page.getByRole("listitem").filter({ hasText: "<img src=y" }).waitFor();
	assert.equal(await page.evaluate(() => (window as any).hacked), undefined);
	assert.equal(await page.evaluate(() => { try { document.body.innerHTML = "<b>x</b>"; return "taken"; } catch { return "refused"; } }), "refused");
	assert.deepEqual(problems.filter((p) => !/TrustedHTML/.test(p)), []);
	await context.close();
});

test("completion, keys, history, charts and the place of an error", async () => {
	const { page, context, problems } = await open();
	await login(page);
	const text = page.getByRole("combobox", { name: /^SQL/ });
	await text.fill("");
	await page.waitForFunction(() => document.querySelectorAll("main select option").length > 1);
	await text.pressSequentially("SELECT items FROM app.sal");
	await page.getByRole("option", { name: "sales" }).waitFor();
	await text.press("Tab");
	assert.equal(await text.inputValue(), "SELECT items FROM app.sales");
	await text.pressSequentially(" s WHERE s.e");
	await page.getByRole("option", { name: "eur" }).waitFor();
	await picture(page, "completion");
	await text.press("Escape");
	await run(page, "SELECT day, eur, items FROM app.sales ORDER BY day");
	await page.getByText("40 rows").waitFor();
	await page.getByRole("tab", { name: "Table" }).press("ArrowRight");
	await page.getByRole("img", { name: "Chart of eur, items by day" }).waitFor();
	await picture(page, "chart");
	await page.getByLabel("Kind").selectOption("bar");
	assert.ok(await page.locator("svg.chart rect").count() >= 80);
	await run(page, "SELECT day,\n  nonsense FROM app.sales");
	await page.getByRole("alert").waitFor();
	assert.equal(await text.evaluate((a: HTMLTextAreaElement) => a.value.slice(a.selectionStart, a.selectionEnd)), "nonsense");
	await page.getByText("History (").click();
	await page.getByRole("button", { name: /SELECT day, eur, items/ }).click();
	assert.match(await text.inputValue(), /ORDER BY day/);
	await page.getByRole("button", { name: "Explain analyze" }).click();
	await page.getByRole("treeitem").first().waitFor();
	await run(page, "EXPLAIN SELECT s.items, count(*) FROM app.sales s JOIN app.sales b USING (day) GROUP BY 1 ORDER BY 1");
	const deepest = await page.getByRole("treeitem").evaluateAll((all) => Math.max(...all.map((e) => Number(e.getAttribute("aria-level")))));
	assert.ok(deepest >= 4, `the plan is ${deepest} deep`);
	await picture(page, "plan");
	await text.fill("SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range % 7 = b.range % 11");
	await text.press("Control+Enter");
	await page.getByRole("button", { name: "Stop" }).click();
	await page.getByRole("alert").filter({ hasText: "Stopped" }).waitFor();
	await page.keyboard.press("Alt+Digit2");
	await page.getByRole("heading", { name: "Tables" }).waitFor();
	await page.locator("body").press("?");
	await page.getByRole("dialog", { name: "Keys" }).waitFor();
	await page.keyboard.press("Escape");
	assert.deepEqual(problems, []);
	await context.close();
});

test("a live query follows, jobs and queries are killed, a user is created", async () => {
	const { page, context, problems } = await open();
	await login(page);
	await show(page, "Live");
	await page.getByLabel("Live query").fill("SELECT id, body FROM app.notes WHERE id >= 100");
	await page.getByRole("button", { name: "Start" }).click();
	await page.getByText("live: waiting").waitFor();
	for (let i = 0; i < 5; i++) await root.query(`INSERT INTO app.notes (id, body) VALUES (${100 + i}, 'event ${i}')`);
	await root.query("DELETE FROM app.notes WHERE id = 102");
	await page.getByText("live: 6 events").waitFor();
	await page.getByRole("cell", { name: "event 2", exact: true }).waitFor({ state: "detached" });
	await page.getByRole("cell", { name: "event 4", exact: true }).waitFor();
	await picture(page, "live");
	await show(page, "Jobs");
	await page.getByRole("cell", { name: "flush" }).first().waitFor();
	const slow = root.query("SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range % 7 = b.range % 11").then(() => "ended", (err: Error) => err.message);
	await page.getByRole("row").filter({ hasText: "range" }).getByRole("button", { name: /Kill the query/ }).click();
	await page.getByRole("dialog").getByRole("button", { name: "Kill" }).click();
	assert.match(await slow, /kill|cancel/i);
	await show(page, "Users");
	await page.getByRole("button", { name: "New user" }).click();
	await page.getByLabel("User", { exact: true }).fill("carol");
	await page.getByLabel("Password", { exact: true }).fill(password);
	await page.getByRole("button", { name: "Create", exact: true }).click();
	await page.getByRole("cell", { name: "carol", exact: true }).waitFor();
	assert.deepEqual(problems, []);
	await context.close();
});

for (const scheme of ["light", "dark"] as const) {
	for (const width of [1280, 390]) {
		test(`every view at ${width} px, ${scheme}: names, contrast, nothing wider than the window`, async () => {
			const { page, context, problems } = await open({ viewport: { width, height: 844 }, colorScheme: scheme });
			await page.getByRole("button", { name: "Log in" }).waitFor();
			assert.deepEqual(await faults(page), []);
			await picture(page, `login-${scheme}-${width}`);
			await login(page);
			await run(page, "SELECT * FROM app.sales ORDER BY day LIMIT 12; SELECT 1 FROM nowhere");
			await page.getByRole("alert").waitFor();
			assert.deepEqual(await faults(page), []);
			await picture(page, `sql-${scheme}-${width}`);
			for (const view of ["Tables", "Live", "Jobs", "Users", "Storages", "Metrics"]) {
				await show(page, view);
				if (view === "Tables") await page.getByRole("button", { name: "app.sales" }).click();
				if (view === "Metrics") await page.waitForFunction(() => document.querySelectorAll(".plot b").length > 10 && document.querySelector(".plot b")!.textContent !== "…");
				else if (view !== "Live") await page.getByRole("cell").first().waitFor();
				if (view === "Tables") await page.getByRole("heading", { name: "Segments" }).waitFor();
				assert.deepEqual(await faults(page), [], view);
				await picture(page, `${view.toLowerCase()}-${scheme}-${width}`);
			}
			assert.deepEqual(problems, []);
			await context.close();
		});
	}
}
