// What SQL texts are made of, for colours and completion.

const keywords =
	`ADD ALL ALTER ANALYZE AND API AS ASC AT BEGIN BETWEEN BIGINT BOOLEAN BY BYTES CACHE CASCADE CASE CAST CLEAR COLUMN COMMENT COMMIT
COMPACT CREATE CROSS CURRENT_USER DATE DATETIME DECIMAL DEFAULT DELETE DESC DESCRIBE DISTINCT DO DOUBLE DROP ELSE END EXCEPT EXECUTE EXISTS EXPLAIN
EXPORT FALSE FILTER FIRST FLOAT FLUSH FOR FROM FULL GRANT GROUP HAVING IF ILIKE IN INNER INSERT INT INTERSECT INTERVAL INTO IS JOB JOIN JSON KEY KILL LAST LEFT
LIKE LIMIT LIVE MANIFEST NAMESPACE NOT NOTHING NULL NULLS OFFSET ON OPTIONS OR ORDER OUTER OVER PARTITION PIVOT PRIMARY QUALIFY QUERY RENAME RESTORE RETURNING RIGHT ROLE
ROLLBACK SELECT SET SHARED SHOW SMALLINT STATS STORAGE STORAGES STREAM SUBSCRIBE SUMMARIZE TABLE TABLES TEXT THEN TIME TIMESTAMP TO TRUE TRUNCATE UNION UNIQUE
UPDATE USE USER USING UUID VALUES VIEW WHEN WHERE WITH`.split(/\s+/);
const functions =
	`abs avg ceil coalesce concat count current_timestamp date_part date_trunc floor greatest json_extract json_extract_string least length
list lower max median min now nullif quantile_cont random replace round row_number snowflake_id split_part sqrt stddev string_agg substr sum trim upper`.split(
		/\s+/,
	);
const known = new Set(keywords);
const token =
	/(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*'?)|("(?:[^"]|"")*"?)|(\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b)|([A-Za-z_][\w$]*)|([\s\S])/gi;

/** Cuts a text into [kind, text]: c comment, s string, q quoted name, n number, k keyword, w word, "" all else. */
export function tokens(sql) {
	return Array.from(sql.matchAll(token), ([text, comment, string, quoted, number, word]) => [
		comment
			? "c"
			: string
				? "s"
				: quoted
					? "q"
					: number
						? "n"
						: word
							? known.has(word.toUpperCase())
								? "k"
								: "w"
							: "",
		text,
	]);
}

/** Reports whether a text may hold a password or a key, as the server decides it: such a text is kept nowhere. */
export function mayHoldSecret(sql) {
	const text = sql.toLowerCase();
	return (
		/pas|pwd|psw|secret|cred|token|identif|auth|api\s+key/.test(text) ||
		/\b(create|alter)\s+storage\b/.test(text) ||
		/\b(create|alter|drop)\s+user\b(?!\s+table)/.test(text)
	);
}

/**
 * Completions at a place of a text: {from, list: [{text, kind}]}. names is what the catalog holds:
 * [{namespace, table, columns: [{name, type}]}].
 */
export function complete(sql, at, names) {
	const before = sql.slice(0, at);
	const [part] = before.match(/(?:[\w$]+|"[^"]*"?)?(?:\.(?:[\w$]*|"[^"]*"?))*$/) ?? [""];
	const path = part.split(".").map((p) => p.replaceAll('"', ""));
	const prefix = path.pop().toLowerCase(),
		owner = path.join(".").toLowerCase();
	const statement = statementAt(sql, at),
		used = usedTables(statement, names);
	let list = [];
	if (owner) {
		list = names
			.filter((t) => t.namespace.toLowerCase() === owner)
			.map((t) => ({ text: quote(t.table), kind: "table" }));
		const table =
			used.find((t) => t.alias === owner || t.table.table.toLowerCase() === owner)?.table ??
			names.find((t) => `${t.namespace}.${t.table}`.toLowerCase() === owner);
		list.push(...(table?.columns ?? []).map((c) => ({ text: quote(c.name), kind: c.type })));
	} else {
		for (const { table } of used) list.push(...table.columns.map((c) => ({ text: quote(c.name), kind: c.type })));
		const tables = names.map((t) => ({ text: `${quote(t.namespace)}.${quote(t.table)}`, kind: "table" }));
		list.push(
			...(/\b(from|join|into|update|table|describe|to)\s+\S*$/i.test(before)
				? tables.concat(list.splice(0))
				: tables),
		);
		list.push(...[...new Set(names.map((t) => t.namespace))].map((n) => ({ text: quote(n), kind: "namespace" })));
		list.push(
			...functions.map((f) => ({ text: f, kind: "function" })),
			...keywords.map((k) => ({ text: k, kind: "keyword" })),
		);
	}
	const seen = new Set();
	const fits = list.filter(({ text }) => {
		const low = text.toLowerCase().replaceAll('"', "");
		const hit =
			(low.startsWith(prefix) || low.split(".").at(-1).startsWith(prefix)) && low !== prefix && !seen.has(low);
		seen.add(low);
		return hit;
	});
	return { from: at - part.split(".").at(-1).length, list: fits.slice(0, 50) };
}

const quote = (name) =>
	/^[a-z_][a-z0-9_$]*$/i.test(name) && !known.has(name.toUpperCase()) ? name : `"${name.replaceAll('"', '""')}"`;

function statementAt(sql, at) {
	let start = 0,
		end = 0;
	for (const [, text] of tokens(sql)) {
		end += text.length;
		if (text !== ";") continue;
		if (end > at) break;
		start = end;
	}
	return sql.slice(start, end);
}

function usedTables(sql, names) {
	const found = [];
	for (const [, name, alias] of sql.matchAll(
		/\b(?:from|join|into|update|,)\s+((?:[\w$]+|"[^"]+")(?:\.(?:[\w$]+|"[^"]+"))?)(?:\s+(?:as\s+)?([\w$]+))?/gi,
	)) {
		const low = name.replaceAll('"', "").toLowerCase();
		const table = names.find(
			(t) => `${t.namespace}.${t.table}`.toLowerCase() === low || t.table.toLowerCase() === low,
		);
		if (table)
			found.push({ table, alias: known.has((alias ?? "").toUpperCase()) ? "" : (alias ?? "").toLowerCase() });
	}
	return found;
}
