// Parameters on their way to the server, and cells on their way back.

import { UsageError } from "./errors.js";

/** A value for `$1` to `$n`. */
export type Param =
	| null | string | number | bigint | boolean | Date | Uint8Array | JSONText | readonly Param[] | { readonly [key: string]: unknown };

/** The text of a JSON document, made by {@link json}. */
export class JSONText {
	constructor(readonly text: string) {}
}

/** A value for a JSON column: `json([1, 2])`. A plain object needs no json(), an array does. */
export function json(value: unknown): JSONText {
	return new JSONText(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? v.toString() : v)) ?? "null");
}

/** Returns parameters as a JSON array. */
export function encodeParams(params: readonly Param[]): string {
	return `[${params.map((p, i) => encodeParam(p, `$${i + 1}`)).join(",")}]`;
}

function encodeParam(p: Param, name: string): string {
	switch (typeof p) {
		case "string":
		case "boolean":
			return JSON.stringify(p);
		case "bigint":
			return p.toString();
		case "number":
			return encodeNumber(p);
		case "object":
			return encodeObject(p, name);
	}
	const hint = p === undefined ? "null is SQL's NULL" : undefined;
	throw new UsageError(`parameter ${name}: ${typeof p} cannot be sent`, { code: "INVALID_PARAMETER", hint });
}

function encodeNumber(n: number): string {
	if (!Number.isFinite(n)) return `"${n}"`;
	if (Object.is(n, -0)) return "-0.0";
	// Its digits are not all known: with an exponent the server reads a DOUBLE, and no other integer.
	if (Number.isInteger(n) && !Number.isSafeInteger(n)) return n.toExponential();
	return String(n);
}

function encodeObject(p: object | null, name: string): string {
	if (p === null) return "null";
	if (p instanceof JSONText) return JSON.stringify(p.text);
	if (p instanceof Date) {
		if (Number.isNaN(p.getTime())) {
			throw new UsageError(`parameter ${name}: an invalid Date`, { code: "INVALID_PARAMETER" });
		}
		return JSON.stringify(isoYear(p.toISOString()));
	}
	if (p instanceof Uint8Array) {
		let hex = "";
		for (const b of p) hex += (b < 16 ? "0" : "") + b.toString(16);
		return JSON.stringify("\\x" + hex);
	}
	if (Array.isArray(p)) return `[${p.map((v: Param) => encodeParam(v, name)).join(",")}]`;
	return JSON.stringify(json(p).text);
}

/** A type as the server names it; a decimal type with its digits. */
export type DataType =
	| "Boolean" | "SmallInt" | "Int" | "BigInt" | "Float" | "Double" | "Text" | "Timestamp" | "Date" | "DateTime" | "Time"
	| "Json" | "Bytes" | "Uuid" | { readonly Decimal: { readonly precision: number; readonly scale: number } };

/** One column of a result or of a live query's rows. */
export interface Column {
	readonly name: string;
	readonly type: DataType;
	readonly primaryKey: boolean;
	readonly nullable: boolean;
}

/** How TIMESTAMP and DATETIME come: as Date (milliseconds), or as ISO text with all six decimals. */
export type TimestampForm = "date" | "iso";

/** A column on the wire. */
export interface Field {
	name: string;
	data_type: DataType;
	flags?: string[];
}

/** Returns the columns that fields of the wire describe. */
export function columnsOf(fields: readonly Field[]): Column[] {
	return fields.map((f) => ({
		name: f.name,
		type: f.data_type,
		primaryKey: f.flags?.includes("pk") ?? false,
		nullable: !f.flags?.some((flag) => flag === "pk" || flag === "nn"),
	}));
}

/** Makes a value of a cell that is not null; undefined where the cell is the value. */
type Decoder = ((cell: any) => unknown) | undefined;

function decoderOf(type: DataType, form: TimestampForm): Decoder {
	switch (type) {
		case "BigInt":
			return BigInt;
		case "Float":
		case "Double":
			return (cell: number | string) => Number(cell); // NaN and the infinities are text.
		case "Timestamp":
		case "DateTime":
			return form === "iso" ? isoTime : (micros: number) => new Date(Math.floor(micros / 1000));
		case "Date":
			return isoDate;
		case "Time":
			return timeOfDay;
		case "Bytes":
			return (bytes: number[]) => Uint8Array.from(bytes);
		case "Json":
			return (text: string) => JSON.parse(text);
	}
	return undefined;
}

/** Makes objects of rows: of arrays as HTTP sends them, and of objects as the WebSocket does. */
export class RowDecoder {
	readonly columns: readonly Column[];
	readonly #decoders: readonly Decoder[];
	readonly #byName = new Map<string, Decoder>();

	constructor(columns: readonly Column[], form: TimestampForm) {
		this.columns = columns;
		this.#decoders = columns.map((c) => decoderOf(c.type, form));
		this.#byName.set("_seq", BigInt);
		columns.forEach((c, i) => this.#byName.set(c.name, this.#decoders[i]));
	}

	array(cells: readonly unknown[]): Record<string, unknown> {
		const row: Record<string, unknown> = {};
		for (let i = 0; i < this.columns.length; i++) set(row, this.columns[i]!.name, decode(cells[i], this.#decoders[i]));
		return row;
	}

	object(raw: Readonly<Record<string, unknown>>): Record<string, unknown> {
		const row: Record<string, unknown> = {};
		for (const name of Object.keys(raw)) set(row, name, decode(raw[name], this.#byName.get(name)));
		return row;
	}
}

/** Sets a member, be its name __proto__, which an assignment would take for the prototype. */
function set(row: Record<string, unknown>, name: string, value: unknown): void {
	if (name === "__proto__") Object.defineProperty(row, name, { value, enumerable: true, configurable: true, writable: true });
	else row[name] = value;
}

function decode(cell: unknown, decoder: Decoder): unknown {
	if (cell === null || cell === undefined) return null;
	return decoder ? decoder(cell) : cell;
}

/** The days and microseconds with which the server means infinity. */
const infiniteDays = 2147483647;
const infiniteMicros = 9.2e18;

function infinity(n: number): string {
	return n < 0 ? "-infinity" : "infinity";
}

/** YYYY-MM-DD of days since 1970. */
function isoDate(days: number): string {
	if (Math.abs(days) >= infiniteDays) return infinity(days);
	const date = new Date(days * 864e5);
	return Number.isNaN(date.getTime()) ? `${days} days` : isoYear(date.toISOString()).split("T")[0]!;
}

/** HH:MM:SS, with as many of six decimals as there are, of microseconds since midnight. */
function timeOfDay(micros: number): string {
	const seconds = Math.floor(micros / 1e6);
	const text = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((n) => pad(Math.floor(n), 2)).join(":");
	return micros % 1e6 === 0 ? text : `${text}.${pad(micros % 1e6, 6).replace(/0+$/, "")}`;
}

/** YYYY-MM-DDTHH:MM:SS.ffffffZ of microseconds since 1970. */
function isoTime(micros: number): string {
	if (Math.abs(micros) > infiniteMicros) return infinity(micros);
	const seconds = Math.floor(micros / 1e6);
	const text = isoYear(new Date(seconds * 1000).toISOString());
	return `${text.slice(0, text.indexOf("."))}.${pad(micros - seconds * 1e6, 6)}Z`;
}

function pad(n: number, width: number): string {
	return String(n).padStart(width, "0");
}

/** Writes a year above 9999 as SQL does, without sign and zeros. */
function isoYear(text: string): string {
	return text.replace(/^\+0*/, "");
}
