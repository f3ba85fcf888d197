// The types that `kalam types` writes are those of the values that come. tables.ts is what it wrote: TestTypes of cmd/kalam.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { newNamespace, newUser, root } from "./server.js";
import type { AppEveryType, SystemColumns, Tables } from "./tables.js";

after(() => root.close());

test("values are of the types that kalam types writes", async () => {
	const ns = await newNamespace();
	const { client } = await newUser();
	await root.execute(`CREATE USER TABLE ${ns}.every_type (id BIGINT PRIMARY KEY, b BOOLEAN NOT NULL, si SMALLINT, i INT, f FLOAT, d DOUBLE,
		de DECIMAL(20,4), tx TEXT, ts TIMESTAMP, dt DATETIME, da DATE, ti TIME, js JSON, by BYTES, uu UUID)`);
	const row: AppEveryType = {
		id: 1n, b: true, si: 1, i: 2, f: 1.5, d: 2.5, de: "1.5000", tx: "x", ts: new Date(0), dt: new Date(1), da: "2026-01-02", ti: "03:04:05",
		js: [1], by: Uint8Array.of(1), uu: "550e8400-e29b-41d4-a716-446655440000",
	};
	const { js, ...others } = row;
	await client.execute(`INSERT INTO ${ns}.every_type (${Object.keys(others)}, js) VALUES (${Object.keys(row).map((_, i) => `$${i + 1}`)})`,
		[...Object.values(others), JSON.stringify(js)]);
	const [back] = await client.query<Tables["app.every_type"] & SystemColumns>(`SELECT * FROM ${ns}.every_type`);
	const { _seq, _deleted, ...columns } = back!;
	assert.deepEqual(columns, row);
	assert.deepEqual([typeof _seq, _deleted], ["bigint", false]);
	// @ts-expect-error: a column that may be NULL.
	const text: string = back!.tx;
	// @ts-expect-error: a column that is not there.
	assert.deepEqual([text, back!.nothing], ["x", undefined]);
	client.close();
});
