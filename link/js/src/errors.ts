// The errors of this package. Every one is a KalamError; the classes below say what kind.

/** What an error knows beside its message. Everything is optional: it is there when the server said it. */
export interface ErrorInfo {
	code?: string;
	hint?: string;
	position?: number;
	suggestions?: readonly string[];
	statement?: number;
	status?: number;
	details?: string;
	results?: readonly unknown[];
	cause?: unknown;
}

/** The error of every function of this package, but for a caller's own abort, which rejects with the signal's reason. */
export class KalamError extends Error {
	/** Stable name: that of the server (docs: wire protocol), or CONNECTION, TIMEOUT, CLOSED, INVALID_OPTION, PROTOCOL. */
	readonly code: string;
	/** What to do about it. */
	readonly hint: string | undefined;
	/** Where in the SQL text the fault is: a character, from 1, as `text.slice(position - 1)` begins with it. */
	readonly position: number | undefined;
	/** Names for which one was perhaps mistyped. */
	readonly suggestions: readonly string[];
	/** Which statement failed, from 1. */
	readonly statement: number | undefined;
	/** HTTP status, undefined when there was no answer. */
	readonly status: number | undefined;
	/** The statement's text, for administrators only. */
	readonly details: string | undefined;
	/** The results of the statements before the one that failed. They stay, unless they were in a transaction. */
	readonly results: readonly unknown[];

	constructor(message: string, info: ErrorInfo = {}) {
		super(message, info.cause === undefined ? undefined : { cause: info.cause });
		this.code = info.code ?? "INTERNAL";
		this.hint = info.hint;
		this.position = info.position;
		this.suggestions = info.suggestions ?? [];
		this.statement = info.statement;
		this.status = info.status;
		this.details = info.details;
		this.results = info.results ?? [];
		this.name = new.target.errorName;
	}

	/** The class's name, which a minifier does not change. */
	protected static readonly errorName: string = "KalamError";
}

/** The server refused or could not run a statement. */
export class SQLError extends KalamError {
	protected static override readonly errorName = "SQLError";
}

/** No valid identity: wrong password, ended token, no token. */
export class AuthenticationError extends KalamError {
	protected static override readonly errorName = "AuthenticationError";
}

/** The server cannot be reached, or the connection broke. */
export class ConnectionError extends KalamError {
	protected static override readonly errorName = "ConnectionError";
	/** The request surely never left this side, so that sending it again does no harm. */
	readonly unsent: boolean;

	constructor(message: string, info: ErrorInfo & { unsent?: boolean } = {}) {
		super(message, { code: "CONNECTION", ...info });
		this.unsent = info.unsent ?? false;
	}
}

/** The time allowed is over. A write may have been done; if so, in full. */
export class TimeoutError extends KalamError {
	protected static override readonly errorName = "TimeoutError";
}

/** A live query was refused, or the server ended it. */
export class SubscriptionError extends KalamError {
	protected static override readonly errorName = "SubscriptionError";
}

/** An answer that is none of kalam's, or cannot be read. */
export class ProtocolError extends KalamError {
	protected static override readonly errorName = "ProtocolError";
}

/** An option or a parameter that cannot be used. Nothing was sent. */
export class UsageError extends KalamError {
	protected static override readonly errorName = "UsageError";
}

/** @internal turns the server's place, a byte from 1, into a character of the text. */
export function positionOf(text: string, byte: number | undefined): number | undefined {
	if (!byte) return undefined;
	return new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, byte - 1)).length + 1;
}
