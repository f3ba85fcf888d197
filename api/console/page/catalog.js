// What the user may see of the catalog: for completion and the list of tables.

import { rows } from "./api.js";

/** [{namespace, table, type, columns: [{name, type, key, nullable, fallback}]}], by name. */
export let names = [];

/** Reads it anew. */
export async function load() {
	const [tables, columns] = await Promise.all([
		rows("SELECT table_schema, table_name, kalamdb_table_type FROM information_schema.tables ORDER BY ALL"),
		rows(
			"SELECT table_schema, table_name, column_name, data_type, is_primary_key, is_nullable, column_default FROM information_schema.columns ORDER BY table_schema, table_name, ordinal_position",
		),
	]);
	const byName = new Map();
	for (const t of tables)
		byName.set(`${t.table_schema}\0${t.table_name}`, {
			namespace: t.table_schema,
			table: t.table_name,
			type: t.kalamdb_table_type ?? "system",
			columns: [],
		});
	for (const c of columns) {
		byName
			.get(`${c.table_schema}\0${c.table_name}`)
			?.columns.push({
				name: c.column_name,
				type: c.data_type,
				key: c.is_primary_key,
				nullable: c.is_nullable === "YES",
				fallback: c.column_default,
			});
	}
	names = [...byName.values()];
}
