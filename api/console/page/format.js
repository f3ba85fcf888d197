// Values as people read them.

const numbers = new Set(["SmallInt", "Int", "BigInt", "Float", "Double"]);

/** Reports whether a field of a schema holds numbers. */
export const isNumber = (field) => numbers.has(field.data_type) || typeof field.data_type === "object";
/** Reports whether a field holds a moment. */
export const isTime = (field) => ["Timestamp", "DateTime", "Date"].includes(field.data_type);
/** The name of a field's type. */
export const typeName = (field) =>
	typeof field.data_type === "object"
		? Object.entries(field.data_type).map(([name, d]) => `${name}(${d.precision},${d.scale})`)[0]
		: field.data_type;

/** A cell as text. */
export function cell(value, field) {
	if (value === null || value === undefined) return "NULL";
	switch (field?.data_type) {
		case "Timestamp":
		case "DateTime":
			return moment(value);
		case "Date":
			return moment(value * 86400e6).slice(0, 10);
		case "Time":
			return moment(value).slice(11);
		case "Bytes":
			return Array.isArray(value)
				? "\\x" + value.map((b) => b.toString(16).padStart(2, "0")).join("")
				: String(value);
	}
	return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function moment(micros) {
	const n = Number(micros);
	const at = new Date(Math.floor(n / 1000));
	if (Number.isNaN(at.getTime())) return String(micros);
	const rest = ((n % 1e6) + 1e6) % 1e6;
	return (
		at.toISOString().replace("T", " ").slice(0, -5) +
		(rest ? "." + String(rest).padStart(6, "0").replace(/0+$/, "") : "")
	);
}

/** A cell as a number for charts: NaN where it is none. */
export function number(value, field) {
	if (value === null || value === undefined || value === "") return NaN;
	return field?.data_type === "Date" ? Number(value) * 86400e6 : Number(value);
}

/** A number in a few characters: 12.3k. */
export function short(n) {
	if (!Number.isFinite(n)) return "";
	const size = Math.abs(n);
	for (const [unit, by] of [
		["T", 1e12],
		["G", 1e9],
		["M", 1e6],
		["k", 1e3],
	])
		if (size >= by) return trim(n / by) + unit;
	return trim(n);
}
const trim = (n) => String(Number(n.toPrecision(3)));

/** Bytes in a few characters. */
export function bytes(n) {
	n = Number(n);
	for (const unit of ["B", "KiB", "MiB", "GiB"]) {
		if (Math.abs(n) < 1024) return trim(n) + " " + unit;
		n /= 1024;
	}
	return trim(n) + " TiB";
}

/** How long ago a moment in microseconds was. */
export function ago(micros) {
	if (micros === null || micros === undefined) return "";
	const s = Math.max(0, Date.now() / 1000 - Number(micros) / 1e6);
	return s < 90
		? `${Math.round(s)} s ago`
		: s < 5400
			? `${Math.round(s / 60)} min ago`
			: s < 172800
				? `${Math.round(s / 3600)} h ago`
				: `${Math.round(s / 86400)} d ago`;
}
