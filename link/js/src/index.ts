/**
 * The client of kalam: SQL over HTTP and live queries over a WebSocket. It uses fetch, WebSocket and AbortController of the runtime, and
 * nothing else.
 *
 * @module
 */

import { Client } from "./client.js";
import type { ClientOptions } from "./options.js";

/** Makes a client of one server as one user. Nothing is sent yet. Close it when it is not needed any more. */
export function createClient(options: ClientOptions): Client {
	return new Client(options);
}

export type { BatchOptions, Client, QueryOptions, Result, Row } from "./client.js";
export {
	AuthenticationError, ConnectionError, KalamError, ProtocolError, SQLError, SubscriptionError, TimeoutError, UsageError, type ErrorInfo,
} from "./errors.js";
export type { LiveEvent, LiveOptions, LiveQuery, LiveState } from "./live.js";
export type { Auth, ClientOptions, Socket, SocketClass, Tokens } from "./options.js";
export type { LiveRows, LiveRowsOptions, LiveSnapshot } from "./rows.js";
export { sql, Sql } from "./sql.js";
export { encodeParams, json, JSONText, type Column, type DataType, type Param, type TimestampForm } from "./values.js";
