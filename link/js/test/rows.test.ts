import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { sql, type Client, type LiveRows } from "kalam";
import { KalamProvider, useLive } from "kalam/react";
import { connect, login, newNamespace, newUser, Proxy, root, until } from "./server.js";

interface Note {
	id: bigint;
	body: string;
}

let alice: Client;
let token: string;
let ns: string;

before(async () => {
	ns = await newNamespace();
	const user = await newUser();
	alice = user.client;
	token = (await login(user.name, user.password)).access_token;
	await root.execute(`CREATE USER TABLE ${ns}.notes (id BIGINT PRIMARY KEY, body TEXT)`);
	await root.execute(`CREATE USER TABLE ${ns}.pairs (at TIMESTAMP, k TEXT, v INT, PRIMARY KEY (at, k))`);
});
after(() => {
	for (const client of [alice, root]) client.close();
});

/** Waits for the rows to be as wanted. */
async function become<T>(live: LiveRows<T>, want: (rows: readonly T[]) => boolean): Promise<readonly T[]> {
	for await (const rows of live) if (want(rows)) return rows;
	throw new Error("the live query ended");
}

test("the rows are those of the query, in order, and each snapshot is one", async () => {
	const t = `${ns}.notes`;
	await alice.execute(`INSERT INTO ${t} VALUES (1, 'b'), (2, 'a'), (3, 'x')`);
	const live = alice.liveRows<Note>(sql`SELECT id, body FROM ${sql.id(ns, "notes")} WHERE body <> ${"x"}`, {
		sort: (a, b) => a.body.localeCompare(b.body),
	});
	assert.deepEqual(live.snapshot, { rows: [], ready: false, state: "connecting", error: undefined });
	const first = await become(live, () => true);
	assert.deepEqual(first.map((row) => row.id), [2n, 1n]);
	assert.equal(live.snapshot, live.snapshot);
	assert.deepEqual([live.snapshot.ready, live.snapshot.state], [true, "connected"]);
	await alice.execute(`INSERT INTO ${t} VALUES (4, 'aa')`);
	await alice.execute(`UPDATE ${t} SET body = 'c' WHERE id = 2`);
	await alice.execute(`UPDATE ${t} SET body = 'x' WHERE id = 1`);
	await alice.execute(`UPDATE ${t} SET body = 'y' WHERE id = 3`);
	const rows = await become(live, (now) => now.some((row) => row.id === 3n));
	assert.deepEqual(rows.map((row) => [row.id, row.body]), [[4n, "aa"], [2n, "c"], [3n, "y"]]);
	assert.deepEqual(first.map((row) => row.body), ["a", "b"], "an earlier snapshot does not change");
	live.close();
	assert.equal(live.snapshot.state, "closed");
	assert.equal(live.rows.length, 3);
	await alice.execute(`DELETE FROM ${t} WHERE id > 0`);
});

test("keys of several columns, and times that differ in microseconds", async () => {
	const t = `${ns}.pairs`;
	await alice.execute(`INSERT INTO ${t} VALUES ('2026-01-01 00:00:00.000001', 'a', 1), ('2026-01-01 00:00:00.000002', 'a', 2)`);
	const live = alice.liveRows<{ v: number }>(`SELECT * FROM ${t}`);
	assert.equal((await become(live, () => true)).length, 2);
	await alice.execute(`DELETE FROM ${t} WHERE v = 1`);
	assert.deepEqual((await become(live, (rows) => rows.length === 1)).map((row) => row.v), [2]);
	live.close();
	await alice.execute(`INSERT INTO ${t} VALUES ('2026-01-01 00:00:00.000002', 'b', 3)`);
	for (const columns of ["v", "at, v"]) {
		const wrong = alice.liveRows(`SELECT ${columns} FROM ${t}`);
		await assert.rejects(become(wrong, () => false), (err: any) => err.code === "INVALID_OPTION" && /primary key/.test(err.hint));
		assert.equal(wrong.snapshot.state, "closed");
		assert.ok(wrong.snapshot.error);
	}
	const missing = alice.liveRows(`SELECT * FROM ${ns}.nothing`);
	await assert.rejects(become(missing, () => true), { name: "SubscriptionError" });
});

test("a lost connection leaves the rows and brings them up to date", async () => {
	const t = `${ns}.notes`;
	await alice.execute(`INSERT INTO ${t} VALUES (1, 'a'), (2, 'b')`);
	const proxy = new Proxy();
	const db = connect({ url: await proxy.start(), auth: { token } });
	const live = db.liveRows<Note>(`SELECT * FROM ${t}`);
	await become(live, (rows) => rows.length === 2);
	const states = new Set<string>();
	let calls = 0;
	const stop = live.subscribe(() => {
		calls++;
		states.add(live.snapshot.state);
		assert.ok(live.rows.length >= 1, "the rows went away");
	});
	proxy.freeze();
	proxy.cut();
	await until(() => live.snapshot.state !== "connected");
	await alice.execute(`DELETE FROM ${t} WHERE id = 1`);
	await alice.execute(`INSERT INTO ${t} VALUES (3, 'c')`);
	proxy.cut();
	proxy.thaw();
	const rows = await become(live, (now) => now.length === 2 && now.some((row) => row.id === 3n));
	assert.deepEqual(rows.map((row) => row.id), [2n, 3n]);
	assert.ok(calls > 0 && states.size > 1, [...states].join());
	stop();
	const before = calls;
	await alice.execute(`INSERT INTO ${t} VALUES (4, 'd')`);
	await become(live, (now) => now.length === 3);
	assert.equal(calls, before);
	db.close();
	proxy.close();
});

test("useLive renders on a server, where nothing is followed", () => {
	const List = () => {
		const { rows, ready, state } = useLive<Note>(`SELECT * FROM ${ns}.notes`);
		return createElement("p", null, `${rows.length} ${ready} ${state}`);
	};
	assert.equal(renderToString(createElement(KalamProvider, { client: alice }, createElement(List))), "<p>0 false connecting</p>");
	assert.throws(() => renderToString(createElement(List)), { name: "UsageError" });
});
