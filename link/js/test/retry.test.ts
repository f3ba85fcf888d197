// What is sent again, and what is not: against a server made for it, which cuts connections in the midst of an answer.

import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { createClient, KalamError, type Client } from "kalam";

interface Request {
	path: string;
	body: any;
}

/** Answers each request as told, in order; the last answer again and again. */
class Fake {
	readonly requests: Request[] = [];
	readonly #answers: ((response: http.ServerResponse) => void)[];
	readonly #server: http.Server;

	constructor(...answers: ((response: http.ServerResponse) => void)[]) {
		this.#answers = answers;
		this.#server = http.createServer(async (request, response) => {
			let text = "";
			for await (const chunk of request) text += chunk;
			this.requests.push({ path: request.url!, body: text && JSON.parse(text) });
			this.#answers[Math.min(this.requests.length, this.#answers.length) - 1]!(response);
		});
	}

	async client(): Promise<Client> {
		await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
		const { port } = this.#server.address() as AddressInfo;
		const db = createClient({ url: `http://127.0.0.1:${port}`, firstWait: 1, longestWait: 5 });
		after(() => {
			db.close();
			this.#server.closeAllConnections();
			this.#server.close();
		});
		return db;
	}
}

const cut = (response: http.ServerResponse) => response.destroy();
const json = (status: number, body: unknown) => (response: http.ServerResponse) => {
	response.writeHead(status, { "Content-Type": "application/json" }).end(typeof body === "string" ? body : JSON.stringify(body));
};
const one = json(200, { status: "success", results: [{ schema: [{ name: "a", data_type: "Int" }], rows: [[1]], row_count: 1 }], took: 1 });

async function rejection(p: Promise<unknown>): Promise<KalamError> {
	const err = await p.then(() => undefined, (e: unknown) => e);
	assert.ok(err instanceof KalamError, `got ${err}`);
	return err;
}

test("what only reads is sent again when the connection breaks", async () => {
	const fake = new Fake(cut, cut, one);
	assert.deepEqual(await (await fake.client()).query("SELECT a FROM t;"), [{ a: 1 }]);
	assert.equal(fake.requests.length, 3);
});

test("three times at most", async () => {
	const fake = new Fake(cut);
	assert.equal((await rejection((await fake.client()).query("select 1"))).name, "ConnectionError");
	assert.equal(fake.requests.length, 4);
});

for (const text of ["INSERT INTO t VALUES (1)", "SELECT 1; DELETE FROM t", "WITH x AS (SELECT 1) INSERT INTO t FROM x", "selection", "/* */ SELECT 1"]) {
	test(`what may write is not: ${text}`, async () => {
		const fake = new Fake(cut, one);
		assert.equal((await rejection((await fake.client()).execute(text))).name, "ConnectionError");
		assert.equal(fake.requests.length, 1);
	});
}

test("a write that could not be sent is tried again", async () => {
	const server = http.createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	await new Promise((resolve) => server.close(resolve));
	let tries = 0;
	const db = createClient({
		url: `http://127.0.0.1:${port}`, firstWait: 1, fetch: (input, init) => {
			tries++;
			return fetch(input, init);
		},
	});
	const err = await rejection(db.execute("INSERT INTO t VALUES (1)"));
	assert.deepEqual([err.name, err.code, tries], ["ConnectionError", "CONNECTION", 4]);
	assert.match(err.message, new RegExp(`127\\.0\\.0\\.1:${port}: .*ECONNREFUSED`));
});

test("what the server refused is not sent again", async () => {
	const refused = { status: "error", results: [], took: 1, error: { code: "RESOURCE_EXHAUSTED", message: "full", hint: "wait" } };
	const fake = new Fake(json(503, refused));
	const err = await rejection((await fake.client()).query("SELECT 1"));
	assert.deepEqual([err.name, err.code, err.status, err.hint], ["SQLError", "RESOURCE_EXHAUSTED", 503, "wait"]);
	assert.equal(fake.requests.length, 1);
});

test("answers that are none", async () => {
	const cases: [answer: (r: http.ServerResponse) => void, name: string, code: string, message: RegExp][] = [
		[json(502, "<h1>Bad\n gateway</h1>"), "ProtocolError", "PROTOCOL", /HTTP error 502: <h1>Bad gateway/],
		[json(200, '{"status":"success","results":[{"rows":[[1'), "ConnectionError", "CONNECTION", /broke off/],
		[json(413, { error: "BODY_TOO_LARGE", message: "too large" }), "ProtocolError", "BODY_TOO_LARGE", /413: too large/],
		[json(200, {}), "ProtocolError", "PROTOCOL", /200/],
		[json(200, "null"), "ProtocolError", "PROTOCOL", /200/],
		[(r) => r.writeHead(302, { Location: "http://127.0.0.1:1/" }).end(), "ConnectionError", "CONNECTION", /cannot reach/],
	];
	for (const [answer, name, code, message] of cases) {
		const err = await rejection((await new Fake(answer).client()).execute("DELETE FROM t"));
		assert.deepEqual([err.name, err.code], [name, code]);
		assert.match(err.message, message);
	}
});

test("rows that the server cut are no result of query, and marked in that of execute", async () => {
	const result = { schema: [{ name: "a", data_type: "Int" }], rows: [[1]], row_count: 1, truncated: true, message: "Result truncated to 1 rows" };
	const db = await new Fake(json(200, { status: "success", results: [result], took: 1 })).client();
	const err = await rejection(db.query("SELECT 1"));
	assert.deepEqual([err.code, err.message, err.results.length], ["TRUNCATED", "Result truncated to 1 rows", 1]);
	assert.equal((await db.execute("SELECT 1")).truncated, true);
});

test("parameters go as they are meant", async () => {
	const fake = new Fake(one);
	const db = await fake.client();
	await db.query("SELECT $1", [[1n, "a", [new Date(0)]]]);
	assert.deepEqual(fake.requests[0]!.body, { sql: "SELECT $1", params: [[1, "a", ["1970-01-01T00:00:00.000Z"]]] });
});
