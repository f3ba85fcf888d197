import assert from "node:assert/strict";
import { after, test } from "node:test";
import { AuthenticationError, type Tokens } from "kalam";
import { connect, leeway, login, newNamespace, newUser, root, take, tokenExpiring } from "./server.js";

after(() => root.close());

/** A fetch that counts the requests of each path. */
function counting(): { fetch: typeof fetch; counts: Map<string, number> } {
	const counts = new Map<string, number>();
	return {
		counts,
		fetch: (input, init) => {
			const path = new URL(String(input)).pathname.replace("/v1/api/", "");
			counts.set(path, (counts.get(path) ?? 0) + 1);
			return fetch(input, init);
		},
	};
}

test("a password logs in once, however many ask", async () => {
	const { name, password, client } = await newUser();
	client.close();
	const { fetch, counts } = counting();
	const db = connect({ auth: { user: name, password }, fetch });
	await Promise.all(Array.from({ length: 5 }, () => db.query("SELECT 1")));
	assert.deepEqual(Object.fromEntries(counts), { "auth/login": 1, "sql": 5 });
	db.close();
	await assert.rejects(db.query("SELECT 1"), { code: "CLOSED" });
});

test("a wrong password is an AuthenticationError, in login, query and live", async () => {
	const { name, client } = await newUser();
	client.close();
	const db = connect({ auth: { user: name, password: "wrong" } });
	const refused = (err: unknown) => err instanceof AuthenticationError && err.code === "unauthorized" && err.status === 401;
	await assert.rejects(db.login(), refused);
	await assert.rejects(db.query("SELECT 1"), refused);
	await assert.rejects(db.live("SELECT * FROM system.jobs").next(), refused);
	db.close();
});

test("no token, one that is none, and a foreign one", async () => {
	const nobody = connect({});
	await assert.rejects(nobody.query("SELECT 1"), (err) => err instanceof AuthenticationError && err.code === "MISSING_AUTHORIZATION");
	assert.throws(() => connect({ auth: { token: "x" } }), AuthenticationError);
	const forged = connect({ auth: { token: "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.x" } });
	await assert.rejects(forged.query("SELECT 1"), (err) => err instanceof AuthenticationError && err.code === "INVALID_CREDENTIALS");
	await assert.rejects(forged.live("SELECT * FROM system.jobs").next(), AuthenticationError);
	for (const client of [nobody, forged]) client.close();
});

test("an expired token is refreshed once for all, and the statement repeated", async () => {
	const { name, password, client } = await newUser();
	client.close();
	const { access_token, refresh_token } = await login(name, password);
	const { fetch, counts } = counting();
	const kept: Tokens[] = [];
	const db = connect({
		auth: { tokens: { access: tokenExpiring(access_token, -leeway - 1), refresh: refresh_token } }, fetch, onTokens: (t) => kept.push(t),
	});
	const rows = await Promise.all(Array.from({ length: 5 }, () => db.query("SELECT 1 AS a")));
	assert.deepEqual(rows.flat(), Array(5).fill({ a: 1 }));
	assert.equal(counts.get("auth/refresh"), 1);
	assert.equal(kept.length, 1);
	db.close();
	// What was kept is a session; without a refresh token it ends with its token.
	const again = connect({ auth: { tokens: kept[0]! } });
	await again.query("SELECT 1");
	again.close();
	const ended = connect({ auth: { tokens: { access: tokenExpiring(access_token, -leeway - 1) } } });
	await assert.rejects(ended.query("SELECT 1"), (err) => err instanceof AuthenticationError && err.code === "TOKEN_EXPIRED");
	ended.close();
});

test("a refresh token that is not taken any more gives way to the password", async () => {
	const { name, password, client } = await newUser();
	const { fetch, counts } = counting();
	const db = connect({ auth: { user: name, password }, fetch });
	await db.query("SELECT 1");
	// A new password ends all tokens; the old one is back afterwards.
	await client.query("SELECT 1");
	await root.execute(`ALTER USER '${name}' SET PASSWORD 'another-password-of-tests'`);
	await root.execute(`ALTER USER '${name}' SET PASSWORD '${password}'`);
	await assert.rejects(db.query("SELECT 1"), (err) => err instanceof AuthenticationError && err.code === "INVALID_CREDENTIALS");
	client.close();
	db.close();
	assert.equal(counts.get("auth/login"), 1);
});

test("a token function is asked first, and again once its token has expired", async () => {
	const { name, password, client } = await newUser();
	client.close();
	const { access_token } = await login(name, password);
	const tokens = [tokenExpiring(access_token, -leeway - 1), access_token];
	let calls = 0;
	const db = connect({ auth: { token: () => tokens[Math.min(calls++, 1)]! } });
	await Promise.all([db.query("SELECT 1"), db.query("SELECT 1")]);
	assert.equal(calls, 2);
	db.close();
	const stubborn = connect({ auth: { token: async () => tokens[0]! } });
	await assert.rejects(stubborn.query("SELECT 1"), (err) => err instanceof AuthenticationError && err.code === "TOKEN_EXPIRED");
	stubborn.close();
	const broken = connect({ auth: { token: () => Promise.reject(new Error("no network")) } });
	await assert.rejects(broken.query("SELECT 1"), /no network/);
	broken.close();
});

test("an API key runs statements and live queries, until it is dropped", async () => {
	const { name, client } = await newUser();
	const ns = await newNamespace();
	await root.execute(`CREATE USER TABLE ${ns}.t (id BIGINT PRIMARY KEY)`);
	const [made] = await root.query(`CREATE API KEY 'of tests' FOR USER ${name}`);
	const { api_key: key, key_id } = made as { api_key: string; key_id: string };
	const db = connect({ auth: { apiKey: key }, keepalive: 50 });
	const live = db.live<{ id: bigint }>(`SELECT * FROM ${ns}.t`);
	await live.ready;
	await client.execute(`INSERT INTO ${ns}.t VALUES (1)`);
	assert.equal((await take(live, 1))[0]!.type, "insert");
	assert.deepEqual(await db.query(`SELECT id FROM ${ns}.t`), [{ id: 1n }]);
	await root.execute(`DROP API KEY '${key_id}'`);
	await assert.rejects(live.next(), AuthenticationError);
	await assert.rejects(db.query("SELECT 1"), AuthenticationError);
	await assert.rejects(connect({ auth: { apiKey: key }, actAs: name }).live("SELECT 1").next(), { name: "UsageError", code: "INVALID_OPTION" });
	for (const each of [db, client]) each.close();
});

test("a live query outlives its token", async () => {
	const { name, password, client } = await newUser();
	const ns = await newNamespace();
	await root.execute(`CREATE USER TABLE ${ns}.t (id BIGINT PRIMARY KEY)`);
	const { access_token, refresh_token } = await login(name, password);
	const states: string[] = [];
	const kept: Tokens[] = [];
	// Taken now, and not any more in two seconds.
	const db = connect({
		auth: { tokens: { access: tokenExpiring(access_token, 2 - leeway), refresh: refresh_token } }, keepalive: 500,
		onTokens: (tokens) => kept.push(tokens),
	});
	const live = db.live<{ id: bigint }>(`SELECT * FROM ${ns}.t`, [], { onState: (state) => states.push(state) });
	await live.ready;
	const want: bigint[] = [];
	while (kept.length === 0 || live.state !== "connected") {
		await client.execute(`INSERT INTO ${ns}.t VALUES ($1)`, [want.length]);
		want.push(BigInt(want.length));
	}
	const seen: bigint[] = [];
	while (seen.length < want.length) {
		const [event] = await take(live, 1);
		if (event?.type === "insert") seen.push(event.row.id);
		if (event?.type === "initial") seen.push(...event.rows.map((row) => row.id));
	}
	assert.deepEqual(seen, want);
	assert.deepEqual(states, ["connected", "disconnected", "connecting", "connected"]);
	assert.equal(kept.length, 1);
	for (const each of [db, client]) each.close();
});
