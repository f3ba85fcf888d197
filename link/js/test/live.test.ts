import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SubscriptionError, UsageError, type Client, type LiveEvent, type LiveQuery } from "kalam";
import WS from "ws";
import { connect, flush, login, newNamespace, newUser, Proxy, root, take, until } from "./server.js";

interface Note {
	id: bigint;
	v: number;
	_seq: bigint;
}

let alice: Client;
let bob: Client;
/** A token of alice: a login takes its time. */
let aliceAuth: { token: string };
let ns: string;

before(async () => {
	ns = await newNamespace();
	const a = await newUser();
	alice = a.client;
	aliceAuth = { token: (await login(a.name, a.password)).access_token };
	bob = (await newUser()).client;
});
after(() => {
	for (const client of [alice, bob, root]) client.close();
});

let tables = 0;

/** A table of this test alone. */
async function newTable(kind = "USER"): Promise<string> {
	const name = `${ns}.t${++tables}`;
	await root.execute(`CREATE ${kind} TABLE ${name} (id BIGINT PRIMARY KEY, v INT)`);
	return name;
}

function without({ seq, ...event }: LiveEvent<Note>): object {
	assert.equal(typeof seq, "bigint");
	const plain = ({ _seq, ...row }: Note) => row;
	switch (event.type) {
		case "initial": return { ...event, rows: event.rows.map(plain) };
		case "insert": return { ...event, row: plain(event.row) };
		case "update": return { ...event, row: plain(event.row), old: plain(event.old) };
		case "delete": return { ...event, old: plain(event.old) };
	}
	return event;
}

test("initial rows, then each change of the result, with values of their types", async () => {
	const t = await newTable();
	await alice.execute(`INSERT INTO ${t} VALUES (1, 1), (2, 2), (3, 3)`);
	const live = alice.live<Note>(`SELECT id, v FROM ${t} WHERE v >= $1`, [2], { lastRows: "all" });
	const [first] = await take(live, 1);
	assert.deepEqual(without(first!), { type: "initial", rows: [{ id: 2n, v: 2 }, { id: 3n, v: 3 }], last: true });
	assert.deepEqual(live.columns.map(({ name, type }) => [name, type]), [["id", "BigInt"], ["v", "Int"]]);
	await alice.execute(`INSERT INTO ${t} VALUES (4, 4)`);
	await alice.execute(`INSERT INTO ${t} VALUES (5, 0)`);
	await alice.execute(`UPDATE ${t} SET v = 20 WHERE id = 2`);
	await alice.execute(`UPDATE ${t} SET v = 0 WHERE id = 3`);
	await alice.execute(`UPDATE ${t} SET v = 10 WHERE id = 1`);
	await alice.execute(`DELETE FROM ${t} WHERE id = 4`);
	const events = await take(live, 5);
	const seqs = events.map((event) => event.seq);
	assert.deepEqual(seqs, seqs.toSorted((a, b) => (a < b ? -1 : 1)));
	assert.equal(live.lastSeq, seqs.at(-1));
	assert.deepEqual(events.map(without).map((e: any) => [e.type, e.row?.id ?? e.old.id, e.old?.v, e.row?.v]), [
		["insert", 4n, undefined, 4],
		["update", 2n, 2, 20],
		["delete", 3n, 3, undefined],
		["insert", 1n, undefined, 10],
		["delete", 4n, 4, undefined],
	]);
	live.close();
	assert.deepEqual(await live.next(), { done: true, value: undefined });
});

test("a user's events are the user's alone", async () => {
	const t = await newTable();
	const [ofAlice, ofBob] = [alice, bob].map((client) => client.live<Note>(`SELECT * FROM ${t}`));
	await Promise.all([ofAlice!.ready, ofBob!.ready]);
	for (let i = 0; i < 20; i++) {
		await Promise.all([alice.execute(`INSERT INTO ${t} VALUES ($1, 1)`, [i]), bob.execute(`INSERT INTO ${t} VALUES ($1, 2)`, [i])]);
	}
	for (const [live, v] of [[ofAlice!, 1], [ofBob!, 2]] as const) {
		const events = await take(live, 20);
		assert.deepEqual(events.map((e) => e.type === "insert" && [e.row.id, e.row.v]), Array.from({ length: 20 }, (_, i) => [BigInt(i), v]));
		live.close();
	}
});

test("the newest rows only, and later from where one stopped", async () => {
	const t = await newTable();
	for (let i = 1; i <= 5; i++) await alice.execute(`INSERT INTO ${t} VALUES ($1, $1)`, [i]);
	const newest = alice.live<Note>(`SELECT id FROM ${t}`, [], { lastRows: 2 });
	const [initial] = await take(newest, 1);
	assert.deepEqual(without(initial!), { type: "initial", rows: [{ id: 4n }, { id: 5n }], last: true });
	newest.close();
	const from = newest.lastSeq;
	await alice.execute(`INSERT INTO ${t} VALUES (6, 6)`);
	await alice.execute(`DELETE FROM ${t} WHERE id = 1`);
	const later = alice.live<Note>(`SELECT id FROM ${t}`, [], { from });
	const events = (await take(later, 2)).map(without).map((e: any) => [e.type, e.rows?.map((r: any) => r.id) ?? e.old.id]);
	assert.deepEqual(events.toSorted(), [["delete", 1n], ["initial", [6n]]]);
	later.close();
});

test("an abort ends the loop without an error, leaving it ends the live query", async () => {
	const t = await newTable();
	const control = new AbortController();
	const live = alice.live(`SELECT * FROM ${t}`, [], { signal: control.signal });
	await live.ready;
	const loop = (async () => {
		for await (const event of live) assert.fail(`got ${event.type}`);
	})();
	control.abort();
	await loop;
	assert.equal(live.state, "closed");
	await assert.rejects(alice.live(`SELECT * FROM ${t}`, [], { signal: control.signal }).ready, { code: "CLOSED" });
	await alice.execute(`INSERT INTO ${t} VALUES (1, 1)`);
	const left = alice.live(`SELECT * FROM ${t}`, [], { lastRows: "all" });
	for await (const event of left) {
		assert.equal(event.type, "initial");
		break;
	}
	assert.equal(left.state, "closed");
});

test("what the server refuses, and options that cannot be used", async () => {
	for (const [text, code] of [[`SELECT * FROM ${ns}.nothing`, "NOT_FOUND"], [`SELECT count(*) FROM ${ns}.t1`, "INVALID_SQL"], ["SELEC", "INVALID_SQL"]]) {
		const live = alice.live(text!);
		await assert.rejects(live.ready, SubscriptionError);
		await assert.rejects(live.next(), (err) => err instanceof SubscriptionError && (err.code === code || err.code === "UNSUPPORTED"));
		assert.deepEqual(await live.next(), { done: true, value: undefined });
	}
	await assert.rejects(bob.live("SELECT * FROM system.users").next(), SubscriptionError);
	for (const options of [{ lastRows: -1 }, { lastRows: 10_001 }, { from: -1n }, { from: 1 as never }, { batchSize: 0 }, { bufferSize: 1.5 }]) {
		assert.throws(() => alice.live("SELECT 1", [], options), UsageError);
	}
});

test("a reader that is slow loses nothing, and the memory of its events is bounded", async () => {
	const t = await newTable();
	const live = alice.live<Note>(`SELECT * FROM ${t}`, [], { bufferSize: 10, batchSize: 7 });
	await live.ready;
	for (let i = 0; i < 300; i++) await alice.execute(`INSERT INTO ${t} VALUES ($1, $1)`, [i]);
	const seen: bigint[] = [];
	while (seen.length < 300) {
		const [event] = await take(live, 1);
		if (event!.type === "insert") seen.push(event!.row.id);
		else if (event!.type === "initial") seen.push(...event!.rows.map((row) => row.id));
		else assert.fail(event!.type);
	}
	assert.deepEqual(seen, Array.from({ length: 300 }, (_, i) => BigInt(i)));
	live.close();
});

test("100 live queries at once keep to the server's rate of frames", async () => {
	const t = await newTable();
	const db = connect({ auth: aliceAuth });
	const all = Array.from({ length: 100 }, (_, i) => db.live<Note>(`SELECT * FROM ${t} WHERE id = $1`, [i]));
	await Promise.all(all.map((live) => live.ready));
	await alice.execute(`INSERT INTO ${t} SELECT range, 0 FROM range(100)`);
	const ids = await Promise.all(all.map(async (live) => (await take(live, 1))[0]!));
	assert.deepEqual(ids.map((e) => e.type === "insert" && e.row.id), Array.from({ length: 100 }, (_, i) => BigInt(i)));
	db.close();
	await assert.rejects(all[0]!.next(), { code: "CLOSED" });
});

/** What a reader of exact events knows: applied blindly, so that a lost or doubled event shows. */
class Replica {
	readonly rows = new Map<bigint, number>();
	/** Changes seen, by their seq: none may come twice. */
	readonly #seqs = new Set<string>();
	resets = 0;

	apply(event: LiveEvent<Note>): void {
		switch (event.type) {
			case "initial":
				for (const row of event.rows) {
					this.#once(row._seq, "row");
					this.rows.set(row.id, row.v);
				}
				return;
			case "insert":
				this.#once(event.seq, event.type);
				assert.ok(!this.rows.has(event.row.id), `row ${event.row.id} is inserted twice`);
				this.rows.set(event.row.id, event.row.v);
				return;
			case "update":
				this.#once(event.seq, event.type);
				assert.equal(this.rows.get(event.old.id), event.old.v, `row ${event.old.id} is updated from what it was not`);
				this.rows.set(event.row.id, event.row.v);
				return;
			case "delete":
				this.#once(event.seq, event.type);
				this.rows.delete(event.old.id);
				return;
			case "reset":
				this.resets++;
				this.rows.clear();
		}
	}

	#once(seq: bigint, what: string): void {
		assert.ok(!this.#seqs.has(`${seq}`), `the ${what} of seq ${seq} comes twice`);
		this.#seqs.add(`${seq}`);
	}
}

/** Writes at random until told to stop, and then a row that is the last. */
async function write(t: string, stop: () => boolean, seed: number): Promise<void> {
	let state = seed;
	const random = (n: number) => (state = (state * 48271) % 2147483647) % n;
	for (let n = 0; !stop(); n++) {
		const id = random(50);
		switch (random(4)) {
			case 0: await alice.execute(`DELETE FROM ${t} WHERE id = $1`, [id]); break;
			case 1: await alice.execute(`UPDATE ${t} SET v = $2 WHERE id = $1`, [id, n]); break;
			default: await alice.execute(`INSERT INTO ${t} VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v`, [id, n]);
		}
	}
	await alice.execute(`INSERT INTO ${t} VALUES (-1, 0)`);
}

/** Reads until the last row has come. */
async function replicate(live: LiveQuery<Note>, replica: Replica): Promise<void> {
	while (!replica.rows.has(-1n)) replica.apply((await take(live, 1))[0]!);
}

for (const [name, WebSocket] of [["the runtime's WebSocket", undefined], ["the package ws", WS]] as const) {
	test(`120 forced disconnects: no event lost, none doubled (${name})`, async () => {
		const seed = 1 + Math.floor(Math.random() * 1e6);
		console.log(`seed ${seed}`);
		const t = await newTable();
		await alice.execute(`INSERT INTO ${t} SELECT range, 0 FROM range(40)`);
		const proxy = new Proxy();
		const db = connect({ url: await proxy.start(), auth: aliceAuth, WebSocket: WebSocket as never });
		let disconnects = 0;
		let cuts = 0;
		const onState = (state: string) => {
			if (state === "disconnected") disconnects++;
		};
		const replica = new Replica();
		const live = db.live<Note>(`SELECT * FROM ${t}`, [], { lastRows: "all", batchSize: 7, onState });
		const reading = replicate(live, replica);
		const writing = write(t, () => disconnects >= 120, seed);
		const cutting = (async () => {
			for (let wait = seed; disconnects < 120; cuts++) {
				wait = (wait * 48271) % 2147483647;
				// Two of three once it stands, among the initial rows or some changes later; the others at any time.
				if (cuts % 3 > 0) await until(() => live.state === "connected");
				await new Promise((resolve) => setTimeout(resolve, wait % 25));
				proxy.cut();
				if (cuts === 60) await flush(t);
			}
		})();
		await Promise.all([writing, cutting]);
		await reading;
		const rows = await alice.query<{ id: bigint; v: number }>(`SELECT id, v FROM ${t}`);
		const order = (a: [bigint, number], b: [bigint, number]) => Number(a[0] - b[0]);
		assert.deepEqual([...replica.rows].sort(order), rows.map((row): [bigint, number] => [row.id, row.v]).sort(order));
		assert.equal(replica.resets, 0);
		console.log(`${cuts} cuts, ${disconnects} of a standing live query, ${proxy.connections} connections, ${rows.length} rows`);
		live.close();
		db.close();
		proxy.close();
	});
}

test("a row that came while the connection was lost, and went while it was lost again, is deleted", async () => {
	const t = await newTable();
	await alice.execute(`INSERT INTO ${t} VALUES (1, 1)`);
	const proxy = new Proxy();
	const db = connect({ url: await proxy.start(), auth: aliceAuth });
	const live = db.live<Note>(`SELECT * FROM ${t}`, [], { lastRows: "all" });
	const replica = new Replica();
	/** Loses the connection, and lets it come back after the statement. */
	const away = async (statement: string): Promise<void> => {
		proxy.freeze();
		proxy.cut();
		await alice.execute(statement);
		proxy.cut();
		proxy.thaw();
	};
	const follow = async (ids: bigint[]): Promise<void> => {
		while (`${[...replica.rows.keys()].sort()}` !== `${ids}`) replica.apply((await take(live, 1))[0]!);
	};
	await follow([1n]);
	for (let i = 0; i < 5; i++) {
		await away(`INSERT INTO ${t} VALUES (2, ${i})`);
		await follow([1n, 2n]);
		await away(`DELETE FROM ${t} WHERE id = 2`);
		await follow([1n]);
	}
	db.close();
	proxy.close();
});

test("a connection that goes silent is noticed and replaced", async () => {
	const t = await newTable();
	const proxy = new Proxy();
	const db = connect({ url: await proxy.start(), auth: aliceAuth, keepalive: 100, pongWait: 100 });
	const states: string[] = [];
	const live = db.live<Note>(`SELECT * FROM ${t}`, [], { onState: (state, err) => states.push(`${state}${err ? `: ${(err as Error).message}` : ""}`) });
	await live.ready;
	proxy.freeze();
	await alice.execute(`INSERT INTO ${t} VALUES (1, 1)`);
	const reading = take(live, 1);
	proxy.thaw();
	const [event] = await reading;
	assert.equal(event!.type === "initial" && event!.rows[0]!.id, 1n);
	assert.deepEqual(states.slice(0, 2), ["connected", "disconnected: the server does not answer any more"]);
	db.close();
	proxy.close();
});

test("tries end after as many as were asked for, and a server that never was there is told at once", async () => {
	const t = await newTable();
	const proxy = new Proxy();
	const db = connect({ url: await proxy.start(), auth: aliceAuth, maxReconnects: 3 });
	const live = db.live(`SELECT * FROM ${t}`);
	await live.ready;
	proxy.close();
	await assert.rejects(live.next(), { name: "ConnectionError" });
	await assert.rejects(db.live(`SELECT * FROM ${t}`).ready, { name: "ConnectionError" });
	await assert.rejects(db.query("SELECT 1"), { name: "ConnectionError", code: "CONNECTION" });
	db.close();
});

test("without a WebSocket one is told what to do", async () => {
	const own = globalThis.WebSocket;
	const db = connect({ auth: aliceAuth });
	try {
		delete (globalThis as any).WebSocket;
		await assert.rejects(db.live("SELECT 1").ready, (err) => err instanceof UsageError && /ws/.test(err.hint ?? ""));
	} finally {
		globalThis.WebSocket = own;
		db.close();
	}
});
