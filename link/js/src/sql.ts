// SQL texts whose values are bound, never pasted.

import { UsageError } from "./errors.js";
import type { Param } from "./values.js";

/** A statement with its parameters, made by {@link sql}. */
export class Sql {
	readonly #texts: readonly string[];
	/** The values of `$1` to `$n`. */
	readonly params: readonly Param[];

	/** @internal texts stand around the params: one more than these. */
	constructor(texts: readonly string[], params: readonly Param[]) {
		this.#texts = texts;
		this.params = params;
	}

	/** The text with placeholders `$1` to `$n`. */
	get text(): string {
		return this.#texts.reduce((text, next, i) => `${text}$${i}${next}`);
	}

	/** @internal */
	static join(texts: readonly string[], values: readonly (Param | Sql)[]): Sql {
		const out = [texts[0]!];
		const params: Param[] = [];
		values.forEach((value, i) => {
			const after = texts[i + 1]!;
			if (value instanceof Sql) {
				out[out.length - 1] += value.#texts[0]!;
				out.push(...value.#texts.slice(1));
				out[out.length - 1] += after;
				params.push(...value.params);
			} else {
				out.push(after);
				params.push(value);
			}
		});
		return new Sql(out, params);
	}
}

/** sql`SELECT * FROM app.notes WHERE id = ${id}` binds id to a placeholder; another {@link Sql} becomes part of the text. */
export function sql(texts: TemplateStringsArray, ...values: (Param | Sql)[]): Sql {
	if (texts.some((text) => text === undefined)) {
		throw new UsageError("an escape in the template means nothing", { code: "INVALID_SQL", hint: "write a backslash as two" });
	}
	return Sql.join(texts, values);
}

/** A quoted name: sql.id("app", "notes") is "app"."notes". */
sql.id = (...path: string[]): Sql => new Sql([path.map((name) => `"${name.replaceAll('"', '""')}"`).join(".")], []);

/** Values for IN: sql`id IN ${sql.list(ids)}` is id IN ($1, $2, ...). */
sql.list = (values: readonly Param[]): Sql => {
	if (values.length === 0) {
		throw new UsageError("an empty list has no form in SQL", {
			code: "INVALID_PARAMETER", hint: "leave the condition out when there are no values",
		});
	}
	return Sql.join(["(", ...Array<string>(values.length - 1).fill(", "), ")"], values);
};
