// What a user has run, in this browser only. Statements that may hold a password or a key are not kept, nor are results.

import { mayHoldSecret } from "./words.js";

const most = 200,
	longest = 20000;
const keyOf = (user) => `kalam.history.${user}`;

/** The statements of a user, the newest first: [{sql, at, took, failed}]. */
export function list(user) {
	try {
		const value = JSON.parse(localStorage.getItem(keyOf(user)) ?? "[]");
		return Array.isArray(value) ? value.filter((e) => typeof e?.sql === "string") : [];
	} catch {
		return [];
	}
}

/** Keeps a statement. */
export function add(user, entry) {
	const sql = entry.sql.trim();
	if (!sql || sql.length > longest || mayHoldSecret(sql)) return;
	const kept = [{ ...entry, sql }, ...list(user).filter((e) => e.sql !== sql)].slice(0, most);
	try {
		localStorage.setItem(keyOf(user), JSON.stringify(kept));
	} catch {
		/* The browser keeps nothing, or has no room: it stays without. */
	}
}

/** Forgets all. */
export function clear(user) {
	try {
		localStorage.removeItem(keyOf(user));
	} catch {
		/* As above. */
	}
}
