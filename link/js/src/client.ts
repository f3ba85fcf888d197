// SQL over HTTP.

import { AuthenticationError, ConnectionError, SQLError, UsageError, type ErrorInfo, positionOf } from "./errors.js";
import { backoff, Credentials, HTTP, pause, plainError, within, type Answer } from "./http.js";
import { LiveQuery, type LiveOptions } from "./live.js";
import { settingsOf, type ClientOptions, type Settings } from "./options.js";
import { LiveRows, type LiveRowsOptions } from "./rows.js";
import { Sql, sql } from "./sql.js";
import { Stream } from "./stream.js";
import { columnsOf, encodeParams, RowDecoder, type Column, type Field, type Param } from "./values.js";

/** A row of which no type is given. */
export type Row = Record<string, any>;

/** Options of one request. */
export interface QueryOptions {
	/** Cancels the statement, on the server too; a write was then done in full or not at all. Rejects with the signal's reason. */
	signal?: AbortSignal | undefined;
	/** In place of the client's. */
	timeout?: number;
	/** In place of the client's. */
	namespace?: string;
}

/** Options of a batch. */
export interface BatchOptions extends QueryOptions {
	/** Runs the statements as one transaction: all or none. */
	transaction?: boolean;
}

/** The result of one statement. */
export interface Result<T = Row> {
	/** Of the rows; empty for a statement that gives none. */
	readonly columns: readonly Column[];
	/** An object for each row. Of two columns with one name the object has the last. */
	readonly rows: T[];
	/** Rows returned, or changed. */
	readonly rowCount: number;
	/** What the server says of a statement without rows, or of rows that were cut. */
	readonly message: string | undefined;
	/** `limits.max_result_rows` of the server has cut the rows. */
	readonly truncated: boolean;
	/** As whom the statement ran. */
	readonly asUser: string;
	/** The jobs that the statement has started. */
	readonly jobIds: readonly string[];
	/** Milliseconds that the server worked on the request. */
	readonly took: number;
}

/** A client of one server as one user, made by createClient. */
export class Client {
	readonly #settings: Settings;
	readonly #http: HTTP;
	readonly #credentials: Credentials;
	readonly #stream: Stream;

	/** @internal */
	constructor(options: ClientOptions) {
		this.#settings = settingsOf(options);
		this.#http = new HTTP(this.#settings);
		this.#credentials = new Credentials(this.#http);
		this.#stream = new Stream(this.#http, this.#credentials);
	}

	/** The server's address. */
	get url(): string {
		return this.#settings.url;
	}

	/** Runs a statement and returns its rows: those of the last, if there are several. */
	query<T = Row>(statement: Sql, options?: QueryOptions): Promise<T[]>;
	query<T = Row>(text: string, params?: readonly Param[], options?: QueryOptions): Promise<T[]>;
	async query<T = Row>(...args: Arguments<QueryOptions>): Promise<T[]> {
		const results = await this.#run<T>(...argumentsOf(args));
		const last = results[results.length - 1];
		if (last?.truncated) {
			throw new SQLError(last.message ?? "the rows were cut", {
				code: "TRUNCATED", results, hint: "ask for fewer rows with LIMIT; execute() gives those that came",
			});
		}
		return last?.rows ?? [];
	}

	/** db.sql`SELECT ... ${value}` is db.query(sql`SELECT ... ${value}`). */
	sql<T = Row>(texts: TemplateStringsArray, ...values: (Param | Sql)[]): Promise<T[]> {
		return this.query<T>(sql(texts, ...values));
	}

	/** Runs a statement and returns all that the server says of it. */
	execute<T = Row>(statement: Sql, options?: QueryOptions): Promise<Result<T>>;
	execute<T = Row>(text: string, params?: readonly Param[], options?: QueryOptions): Promise<Result<T>>;
	async execute<T = Row>(...args: Arguments<QueryOptions>): Promise<Result<T>> {
		const results = await this.#run<T>(...argumentsOf(args));
		return results[results.length - 1]!;
	}

	/**
	 * Runs statements without parameters in one request. Those before one that fails stay, unless `transaction` is set. The error names
	 * the statement that failed, from 1, and has the results before it.
	 */
	async batch(statements: readonly string[], options: BatchOptions = {}): Promise<Result[]> {
		if (statements.length === 0) return [];
		const list = options.transaction ? ["BEGIN", ...statements, "COMMIT"] : statements;
		const before = list === statements ? 0 : 1;
		try {
			const results = await this.#run<Row>(list.join(separator), [], options);
			return results.slice(before, before + statements.length);
		} catch (err) {
			throw err instanceof SQLError && err.statement ? batchError(err, list, before) : err;
		}
	}

	/** Opens a live query, at once: its events wait until they are read. */
	live<T = Row>(statement: Sql, options?: LiveOptions): LiveQuery<T>;
	live<T = Row>(text: string, params?: readonly Param[], options?: LiveOptions): LiveQuery<T>;
	live<T = Row>(...args: Arguments<LiveOptions>): LiveQuery<T> {
		const [text, params, options] = argumentsOf(args);
		return new LiveQuery<T>(this.#stream, text, encodeParams(params), options);
	}

	/** Opens a live query and keeps its current result. */
	liveRows<T = Row>(statement: Sql, options?: LiveRowsOptions<T>): LiveRows<T>;
	liveRows<T = Row>(text: string, params?: readonly Param[], options?: LiveRowsOptions<T>): LiveRows<T>;
	liveRows<T = Row>(...args: Arguments<LiveRowsOptions<T>>): LiveRows<T> {
		const [text, params, options] = argumentsOf(args);
		return new LiveRows<T>(this.#stream, text, encodeParams(params), options);
	}

	/** Logs in now instead of at the first request, so that wrong credentials are known at once. */
	async login(options: { signal?: AbortSignal } = {}): Promise<void> {
		await this.#retry(options, false, async (signal) => {
			await this.#credentials.get(signal);
		});
	}

	/** Ends what runs, and all live queries. */
	close(): void {
		this.#http.closed.abort(new ConnectionError("the client is closed", { code: "CLOSED" }));
		this.#stream.close();
	}

	async #run<T>(text: string, params: readonly Param[], options: QueryOptions): Promise<Result<T>[]> {
		const namespace = options.namespace ?? this.#settings.namespace;
		const body = `{"sql":${JSON.stringify(text)}${params.length ? `,"params":${encodeParams(params)}` : ""}${
			namespace === undefined ? "" : `,"namespace_id":${JSON.stringify(namespace)}`}}`;
		return this.#retry(options, isReadOnly(text), async (signal) => {
			const token = await this.#credentials.get(signal);
			try {
				return await this.#post<T>(text, body, token, signal);
			} catch (err) {
				if (!(err instanceof AuthenticationError && err.code === "TOKEN_EXPIRED" && this.#credentials.renews)) throw err;
				return this.#post<T>(text, body, await this.#credentials.renew(token, signal), signal);
			}
		});
	}

	async #post<T>(text: string, body: string, token: string | undefined, signal: AbortSignal): Promise<Result<T>[]> {
		const answer = await this.#http.post("/api/sql", body, token, signal);
		return this.#resultsOf<T>(text, answer);
	}

	#resultsOf<T>(text: string, a: Answer): Result<T>[] {
		const { body } = a;
		if (!Array.isArray(body?.results)) throw plainError(a);
		const results = body.results.map((r: any) => this.#resultOf<T>(r, body.took));
		if (body.status === "success") return results;
		const e = body.error ?? {};
		const info = {
			code: e.code, hint: e.hint, suggestions: e.suggestions, statement: e.statement_index, details: e.details,
			position: positionOf(text, e.position), status: a.status, results,
		};
		throw new (a.status === 401 ? AuthenticationError : SQLError)(e.message ?? "the statement failed", info);
	}

	#resultOf<T>(r: any, took: number): Result<T> {
		const decoder = new RowDecoder(columnsOf((r.schema ?? []) as Field[]), this.#settings.timestamps);
		const rows = (r.rows ?? []).map((cells: unknown[]) => decoder.array(cells));
		return {
			columns: decoder.columns, rows, rowCount: r.row_count, message: r.message, truncated: r.truncated ?? false,
			asUser: r.as_user, jobIds: r.job_ids ?? [], took,
		};
	}

	/** Runs f, and again where its request surely never left this side, or failed to reach the server and only reads. */
	async #retry<T>(options: QueryOptions, readOnly: boolean, f: (signal: AbortSignal) => Promise<T>): Promise<T> {
		const { timeout, maxRetries } = this.#settings;
		return within(options.timeout ?? timeout, [options.signal, this.#http.closed.signal], async (signal) => {
			for (let attempt = 0; ; attempt++) {
				try {
					return await f(signal);
				} catch (err) {
					signal.throwIfAborted();
					const again = err instanceof ConnectionError && err.code !== "CLOSED" && (err.unsent || readOnly);
					if (!again || attempt >= maxRetries) throw err;
				}
				await pause(backoff(this.#settings, attempt), signal);
				signal.throwIfAborted();
			}
		});
	}
}

/** Between the statements of a batch. The line break keeps a comment at a statement's end from hiding the next. */
const separator = "\n;\n";

/** The error of a batch, of which the first statements may be ours: its place is in the caller's statement. */
function batchError(err: SQLError, list: readonly string[], before: number): SQLError {
	const index = err.statement! - 1;
	const start = index && list.slice(0, index).join(separator).length + separator.length;
	const position = err.position !== undefined && err.position > start ? err.position - start : undefined;
	const failed = index - before;
	const statement = failed >= 0 && failed < list.length - 2 * before ? failed + 1 : undefined;
	return new SQLError(err.message, {
		...err, position, statement, results: before ? [] : err.results, cause: err,
	} as ErrorInfo);
}

/** The arguments of a method that takes a template, or a text and its parameters. */
type Arguments<O> = [statement: Sql | string, params?: readonly Param[] | O, options?: O];

function argumentsOf<O>([statement, second, third]: Arguments<O>): [string, readonly Param[], O] {
	if (statement instanceof Sql) return [statement.text, statement.params, (second ?? {}) as O];
	if (typeof statement !== "string") throw new UsageError("the statement is no text", { code: "INVALID_OPTION" });
	if (second !== undefined && second !== null && !Array.isArray(second)) {
		throw new UsageError("parameters are an array", { code: "INVALID_OPTION", hint: "options come third" });
	}
	return [statement, (second ?? []) as readonly Param[], (third ?? {}) as O];
}

/**
 * Whether a text surely does nothing but read, so that sending it twice does no harm: one statement that begins with a word of a query.
 * A `;` anywhere but at the end makes it false, which costs only the retry.
 */
function isReadOnly(text: string): boolean {
	return /^\s*(select|show|describe|desc|values|from|summarize)\b[^;]*;?\s*$/i.test(text);
}
