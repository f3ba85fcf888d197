import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { json, KalamError, sql, SQLError, UsageError, type Client } from "kalam";
import { connect, flush, login, newNamespace, newUser, root, url } from "./server.js";

let alice: Client;
let bob: Client;
let name: string;
let password: string;
let ns: string;

before(async () => {
	ns = await newNamespace();
	await root.execute(`CREATE USER TABLE ${ns}.notes (id BIGINT PRIMARY KEY, body TEXT NOT NULL)`);
	alice = (await newUser()).client;
	({ client: bob, name, password } = await newUser());
});
after(() => {
	for (const client of [alice, bob, root]) client.close();
});

/** Each type, a value as a parameter, and what comes back if that is something else. */
const values: [type: string, value: any, back?: any][] = [
	["BOOLEAN", true], ["BOOLEAN", false],
	["SMALLINT", -32768], ["INT", 2147483647],
	["BIGINT", 9223372036854775807n], ["BIGINT", -9223372036854775808n], ["BIGINT", 9007199254740993n], ["BIGINT", 7, 7n],
	["FLOAT", 1.5], ["FLOAT", NaN], ["FLOAT", -Infinity],
	["DOUBLE", 0.1], ["DOUBLE", -0], ["DOUBLE", 1e308], ["DOUBLE", 5e-324], ["DOUBLE", NaN], ["DOUBLE", Infinity], ["DOUBLE", 2 ** 60],
	["DOUBLE", 3],
	["DECIMAL(38,10)", "1234567890123456789012345678.0123456789"], ["DECIMAL(20,4)", "-0.5000"], ["DECIMAL(20,4)", 3, "3.0000"],
	["TEXT", ""], ["TEXT", "'; DROP TABLE x; -- \u0000 \" \\ \u{1F600} $1 "], ["TEXT", "__proto__"],
	["TIMESTAMP", new Date("2026-01-02T03:04:05.678Z")], ["TIMESTAMP", new Date(-1)], ["TIMESTAMP", new Date("0044-03-15T00:00:00Z")],
	["DATETIME", new Date("9999-12-31T23:59:59.999Z")],
	["TIMESTAMP", "2026-01-02T03:04:05.678901Z", new Date("2026-01-02T03:04:05.678Z")],
	["DATE", "2026-02-28"], ["DATE", "1969-12-31"], ["DATE", "9999-12-31"],
	["TIME", "00:00:00"], ["TIME", "23:59:59.999999"], ["TIME", "03:04:05.5"],
	["JSON", { a: [1, "x", null, { b: true }] }], ["JSON", json([1, 2]), [1, 2]], ["JSON", json("text"), "text"], ["JSON", json(1.5), 1.5],
	["JSON", { big: 9007199254740993n }, { big: "9007199254740993" }],
	["BYTES", new Uint8Array()], ["BYTES", Uint8Array.from({ length: 256 }, (_, i) => i)],
	["UUID", "550e8400-e29b-41d4-a716-446655440000"],
];

test("a value of every type comes back as it went, from rows that wait and from files", async () => {
	const columns = values.map(([type], i) => `c${i} ${type}`).join(", ");
	const table = `${ns}.types`;
	await root.execute(`CREATE USER TABLE ${table} (id BIGINT PRIMARY KEY, ${columns})`);
	await alice.execute(`INSERT INTO ${table} (id) VALUES (0)`);
	await alice.execute(`INSERT INTO ${table} VALUES (1, ${values.map((_, i) => `$${i + 1}`).join(", ")})`, values.map(([, v]) => v));
	const want = Object.fromEntries(values.map(([, value, back = value], i) => [`c${i}`, back]));
	const check = async () => {
		const rows = await alice.query(`SELECT * EXCLUDE (_seq, _deleted) FROM ${table} ORDER BY id`);
		assert.deepEqual(rows[0], { id: 0n, ...Object.fromEntries(values.map((_, i) => [`c${i}`, null])) });
		assert.deepEqual(rows[1], { id: 1n, ...want });
	};
	await check();
	await flush(table);
	await check();
});

test("a parameter in a condition finds what it was written with", async () => {
	for (const [i, [type, value]] of values.entries()) {
		if (type === "JSON") continue; // It is compared as text.
		const [row] = await alice.query(sql`SELECT id FROM ${sql.id(ns, "types")} WHERE ${sql.id(`c${i}`)} = ${value}`);
		assert.deepEqual(row, { id: 1n }, `${type} ${String(value)}`);
	}
});

test("timestamps as text have all decimals", async () => {
	const user = await newUser();
	const iso = connect({ auth: { user: user.name, password: user.password }, timestamps: "iso" });
	assert.deepEqual(
		await iso.query("SELECT TIMESTAMP '2026-01-02 03:04:05.678901' AS a, TIMESTAMP '1969-12-31 23:59:59.9995' AS b, 'infinity'::DATE AS c"),
		[{ a: "2026-01-02T03:04:05.678901Z", b: "1969-12-31T23:59:59.999500Z", c: "infinity" }],
	);
	user.client.close();
	iso.close();
});

test("structs, lists and names of any kind", async () => {
	const [row] = await alice.query(`SELECT {a: 1, b: [2, 3]} AS s, [1, 2] AS l, MAP {'k': 'v'} AS m, 1 AS "__proto__", 2 AS "a b"`);
	assert.deepEqual(Object.entries(row!), [["s", { a: 1, b: [2, 3] }], ["l", [1, 2]], ["m", { k: "v" }], ["__proto__", 1], ["a b", 2]]);
});

test("a template binds values and never pastes them", async () => {
	const evil = "x'); DELETE FROM notes; --";
	await alice.sql`INSERT INTO ${sql.id(ns, "notes")} (id, body) VALUES (${1n}, ${evil})`;
	const condition = sql`body = ${evil} AND id IN ${sql.list([1, 2, 3])}`;
	const statement = sql`SELECT body FROM ${sql.id(ns, "notes")} WHERE ${condition} OR id = ${-1}`;
	assert.equal(statement.text, `SELECT body FROM "${ns}"."notes" WHERE body = $1 AND id IN ($2, $3, $4) OR id = $5`);
	assert.deepEqual(statement.params, [evil, 1, 2, 3, -1]);
	assert.deepEqual(await alice.query<{ body: string }>(statement), [{ body: evil }]);
	assert.equal(sql.id('a"b').text, '"a""b"');
	assert.equal(sql`${sql`a`}${sql`b`} c`.text, "ab c");
	assert.throws(() => sql.list([]), UsageError);
});

test("arrays are parameters", async () => {
	const ids = [1n, 2n, 9007199254740993n];
	assert.deepEqual(await alice.query("SELECT id FROM (SELECT unnest([2, 9007199254740993, 5]) AS id) WHERE id = ANY($1) ORDER BY id", [ids]),
		[{ id: 2n }, { id: 9007199254740993n }]);
});

test("execute says what was done, and query gives the rows of the last statement", async () => {
	const table = `${ns}.notes`;
	const written = await alice.execute(`INSERT INTO ${table} (id, body) VALUES ($1, $2), ($3, $4)`, [10, "a", 11, "b"]);
	assert.equal(written.rowCount, 2);
	assert.deepEqual(written.rows, []);
	const read = await alice.execute<{ id: bigint }>(`SELECT id FROM ${table} WHERE id >= 10 ORDER BY id`);
	assert.deepEqual(read.columns, [{ name: "id", type: "BigInt", primaryKey: true, nullable: false }]);
	assert.deepEqual(read.rows.map((row) => row.id), [10n, 11n]);
	assert.equal(read.rowCount, 2);
	assert.ok(read.took >= 0 && read.asUser !== "" && !read.truncated);
	assert.deepEqual(await alice.query("SELECT 1 AS a; SELECT 2 AS b"), [{ b: 2 }]);
	assert.deepEqual(await alice.query(`DELETE FROM ${table} WHERE id >= 10`), []);
	assert.deepEqual(await alice.query("SELECT id FROM notes", [], { namespace: ns }), [{ id: 1n }]);
});

test("a batch keeps what precedes a failure, a transaction nothing", async () => {
	const table = `${ns}.notes`;
	const results = await alice.batch([`INSERT INTO ${table} VALUES (20, 'a') -- first`, `SELECT count(*) AS n FROM ${table}`], { transaction: true });
	assert.deepEqual(results.map((r) => r.rowCount), [1, 1]);
	const failing = [`INSERT INTO ${table} VALUES (21, 'a')`, `SELECT nothing FROM ${table}`, "SELECT 1"];
	const partly = await rejection(alice.batch(failing));
	assert.equal(partly.statement, 2);
	assert.equal(failing[1]!.slice(partly.position! - 1, partly.position! + 6), "nothing");
	assert.equal(partly.results.length, 1);
	assert.equal((await alice.query(`SELECT id FROM ${table} WHERE id = 21`)).length, 1);
	const whole = await rejection(alice.batch([`INSERT INTO ${table} VALUES (22, 'a')`, `INSERT INTO ${table} VALUES (20, 'b')`], { transaction: true }));
	assert.equal(whole.statement, 2);
	assert.match(whole.message, /already exists/);
	assert.deepEqual(whole.results, []);
	assert.deepEqual(await alice.query(`SELECT id FROM ${table} WHERE id = 22`), []);
	assert.deepEqual(await alice.batch([]), []);
});

async function rejection(p: Promise<unknown>): Promise<KalamError> {
	const err = await p.then(() => undefined, (e: unknown) => e);
	assert.ok(err instanceof KalamError, `got ${err}`);
	return err;
}

test("errors have class, code, place, suggestions and status", async () => {
	const text = `SELECT '\u{1F600}é', boddy FROM ${ns}.notes`;
	const unknown = await rejection(alice.query(text));
	assert.ok(unknown instanceof SQLError);
	assert.equal(unknown.name, "SQLError");
	assert.equal(unknown.code, "INVALID_SQL");
	assert.equal(text.slice(unknown.position! - 1, unknown.position! + 4), "boddy");
	assert.equal(unknown.statement, 1);
	assert.equal(unknown.status, 400);
	const denied = await rejection(alice.execute("CREATE NAMESPACE mine"));
	assert.ok(denied instanceof SQLError && denied.code === "PERMISSION_DENIED" && denied.status === 403);
	assert.deepEqual(unknown.suggestions, ["body"]);
	assert.ok((await rejection(alice.query("SELECT $2", [1]))) instanceof SQLError);
	assert.equal((await rejection(alice.query("SELECT 1; SELECT $1", [1]))).code, "PARAMS_WITH_BATCH");
	assert.equal((await rejection(alice.query(" "))).code, "EMPTY_SQL");
});

test("what cannot be sent is refused before it is", async () => {
	for (const value of [undefined, () => 1, Symbol("x"), new Date(NaN)]) {
		const err = await rejection(alice.query("SELECT $1", [value as never]));
		assert.ok(err instanceof UsageError && err.code === "INVALID_PARAMETER" && err.message.includes("$1"), err.message);
	}
	await assert.rejects(alice.query("SELECT 1", { signal: null } as never), UsageError);
	for (const bad of ["", "localhost:8080", "ftp://x", "http://u:p@x", "http://x/?q"]) assert.throws(() => connect({ url: bad }), UsageError);
	assert.throws(() => connect({ timeout: -1 }), UsageError);
	assert.equal(connect({ url: url + "/" }).url, url);
});

test("a user never sees another's rows", async () => {
	await alice.execute(`INSERT INTO ${ns}.notes VALUES (100, 'of alice')`);
	assert.deepEqual(await bob.query(`SELECT * FROM ${ns}.notes`), []);
	assert.equal((await bob.execute(`UPDATE ${ns}.notes SET body = 'of bob' WHERE id = 100`)).rowCount, 0);
	assert.deepEqual(await alice.query(`SELECT body FROM ${ns}.notes WHERE id = 100`), [{ body: "of alice" }]);
	const acting = connect({ auth: { token: (await login(name, password)).access_token }, actAs: "root" });
	assert.equal((await rejection(acting.query("SELECT 1"))).status, 403);
	acting.close();
});

test("an abort ends the statement on the server too", async () => {
	const control = new AbortController();
	const reason = new Error("changed my mind");
	// It would take minutes.
	const slow = alice.query("SELECT count(*) FROM range(100000000) a, range(100000) b", [], { signal: control.signal });
	const { asUser } = await alice.execute("SELECT 1");
	const running = async () => (await root.query("SELECT user_id, query FROM system.sessions"))
		.filter((s) => s["user_id"] === asUser && s["query"]?.includes("range")).length;
	for (let n = 0; n === 0;) n = await running();
	control.abort(reason);
	await assert.rejects(slow, (err) => err === reason);
	for (let n = 1; n > 0;) n = await running();
	await assert.rejects(alice.query("SELECT 1", [], { signal: control.signal }), (err) => err === reason);
	const late = await rejection(alice.query("SELECT count(*) FROM range(100000000) a, range(100000) b", [], { timeout: 50 }));
	assert.equal(late.name, "TimeoutError");
	assert.equal(late.code, "TIMEOUT");
});
