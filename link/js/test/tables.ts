// Written by "kalam types": do not edit.

/** What SELECT * gives of a table beside its columns. */
export interface SystemColumns {
	_seq: bigint;
	_deleted: boolean;
}

/** app.every_type */
export interface AppEveryType {
	id: bigint;
	b: boolean;
	si: number | null;
	i: number | null;
	f: number | null;
	d: number | null;
	de: string | null;
	tx: string | null;
	ts: Date | null;
	dt: Date | null;
	da: string | null;
	ti: string | null;
	js: unknown;
	by: Uint8Array | null;
	uu: string | null;
}

/** The tables by their names. */
export interface Tables {
	"app.every_type": AppEveryType;
}
