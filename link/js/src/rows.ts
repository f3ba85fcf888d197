// The current result of a live query, kept.

import { SubscriptionError, UsageError } from "./errors.js";
import { LiveQuery, type LiveEvent, type LiveOptions, type LiveState, type Wrap } from "./live.js";
import type { Stream } from "./stream.js";

/** Options of a kept result. */
export interface LiveRowsOptions<T> extends Omit<LiveOptions, "from" | "lastRows"> {
	/** With which rows it begins: the newest n, up to 10,000, or "all". Default "all". */
	lastRows?: number | "all" | undefined;
	/** The order of the rows; default: in which they came. */
	sort?: ((a: T, b: T) => number) | undefined;
}

/** What is known now. It is immutable: a change makes a new one. */
export interface LiveSnapshot<T> {
	readonly rows: readonly T[];
	/** All initial rows are there. */
	readonly ready: boolean;
	readonly state: LiveState;
	/** Why the live query has failed; it does not go on then. */
	readonly error: unknown;
}

/** A row with its key. */
interface Keyed<T> {
	key: string;
	row: T;
}

/** At most this often are listeners called, in milliseconds. */
const notifyInterval = 16;

/**
 * The current result of a live query: `snapshot` now, `subscribe` for changes, or `for await (const rows of liveRows)`. Across lost
 * connections it stays as it was and is brought up to date. The query must select the whole primary key.
 */
export class LiveRows<T> {
	readonly #query: LiveQuery<Keyed<T>>;
	readonly #sort: ((a: T, b: T) => number) | undefined;
	readonly #listeners = new Set<() => void>();
	#rows = new Map<string, T>();
	/** Rows that come anew after a reset, until all are there. */
	#fresh: Map<string, T> | undefined;
	#ready = false;
	#state: LiveState = "connecting";
	#error: unknown;
	#snapshot: LiveSnapshot<T> | undefined;
	#timer: ReturnType<typeof setTimeout> | undefined;
	#called = 0;

	/** @internal */
	constructor(stream: Stream, text: string, params: string, options: LiveRowsOptions<T>) {
		this.#sort = options.sort;
		this.#query = new LiveQuery(stream, text, params, {
			...options, lastRows: options.lastRows ?? "all", onState: (state, err) => {
				this.#state = state;
				if (state === "closed") this.#error = err;
				this.#changed();
				options.onState?.(state, err);
			},
		}, keyed);
		void this.#follow();
	}

	/** What is known now: the same object until something changes. */
	get snapshot(): LiveSnapshot<T> {
		return this.#snapshot ??= Object.freeze({
			rows: this.#list(), ready: this.#ready, state: this.#state, error: this.#error,
		});
	}

	/** The rows of the snapshot. */
	get rows(): readonly T[] {
		return this.snapshot.rows;
	}

	/** Calls the listener after changes, at most once in 16 ms. Returns what ends that. */
	subscribe(listener: () => void): () => void {
		const own = () => listener(); // One listener may be given twice.
		this.#listeners.add(own);
		return () => {
			this.#listeners.delete(own);
		};
	}

	/** Yields the rows when all initial ones are there, and again after changes; one that is slow misses what is out of date. */
	async *[Symbol.asyncIterator](): AsyncGenerator<readonly T[], void, undefined> {
		let wake = () => undefined as void;
		const stop = this.subscribe(() => wake());
		let seen: readonly T[] | undefined;
		try {
			for (;;) {
				const { rows, ready, state, error } = this.snapshot;
				if (ready && rows !== seen) yield seen = rows;
				else if (state === "closed" && error !== undefined) throw error;
				else if (state === "closed") return;
				else await new Promise<void>((resolve) => { wake = resolve; });
			}
		} finally {
			stop();
		}
	}

	/** Ends the live query. The rows stay as they are. */
	close(): void {
		this.#query.close();
	}

	async #follow(): Promise<void> {
		try {
			for await (const event of this.#query) {
				this.#apply(event);
				this.#changed();
			}
		} catch {
			// Listeners have it from the snapshot.
		}
	}

	#apply(event: LiveEvent<Keyed<T>>): void {
		const rows = this.#fresh ?? this.#rows;
		switch (event.type) {
			case "reset":
				this.#fresh = new Map();
				break;
			case "initial":
				if (new Set(event.rows.map(({ key }) => key)).size < event.rows.length) {
					this.#query.fail(ambiguous());
					break;
				}
				for (const { key, row } of event.rows) rows.set(key, row);
				if (!event.last) break;
				this.#rows = rows;
				this.#fresh = undefined;
				this.#ready = true;
				break;
			case "insert":
				rows.set(event.row.key, event.row.row);
				break;
			case "update":
				if (event.old.key !== event.row.key) rows.delete(event.old.key);
				rows.set(event.row.key, event.row.row);
				break;
			case "delete":
				rows.delete(event.old.key);
		}
	}

	#list(): readonly T[] {
		const rows = [...this.#rows.values()];
		return Object.freeze(this.#sort ? rows.sort(this.#sort) : rows);
	}

	#changed(): void {
		this.#snapshot = undefined;
		if (this.#listeners.size === 0) return;
		const wait = this.#called + notifyInterval - Date.now();
		this.#timer ??= setTimeout(() => this.#notify(), Math.max(wait, 0));
	}

	#notify(): void {
		this.#timer = undefined;
		this.#called = Date.now();
		for (const listener of [...this.#listeners]) listener();
	}
}

/** Adds the key: the primary key's cells as they came, which tell times apart that are one Date. */
const keyed: Wrap = (raw, decoder) => {
	const key = decoder.columns.filter((c) => c.primaryKey).map((c) => raw[c.name]);
	if (key.length === 0) {
		throw new UsageError("liveRows needs rows with a primary key", {
			code: "INVALID_OPTION", hint: "select the columns of the table's primary key, too; live() follows tables without one",
		});
	}
	return { key: JSON.stringify(key), row: decoder.object(raw) };
};

function ambiguous(): SubscriptionError {
	return new SubscriptionError("two rows of the live query have the same key", {
		code: "INVALID_OPTION", hint: "select all columns of the table's primary key",
	});
}
