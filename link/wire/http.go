package wire

import (
	"encoding/json"

	"github.com/kalamlake/kalam"
)

// Paths of the endpoints under the version prefix "/v1", and the one without.
const (
	PathSQL           = "/api/sql"
	PathLogin         = "/api/auth/login"
	PathRefresh       = "/api/auth/refresh"
	PathToken         = "/api/auth/token" //nolint:gosec // A path.
	PathLogout        = "/api/auth/logout"
	PathSetup         = "/api/auth/setup"
	PathMe            = "/api/auth/me"
	PathStatus        = "/api/auth/status"
	PathHealthcheck   = "/api/healthcheck"
	PathClusterHealth = "/api/cluster/health"
	PathExports       = "/exports" // And "/{user}/{id}".
	PathWebSocket     = "/ws"
	PathHealth        = "/health"
	PathReady         = "/ready"
	PathMetrics       = "/metrics"
	PathOpenAPI       = "/openapi.json"
)

// Values of Response.Status.
const (
	StatusSuccess = "success"
	StatusError   = "error"
)

// Code is the stable name of an error on the wire.
type Code string

// The codes of HTTP responses.
const (
	CodeInvalidInput         Code = "INVALID_INPUT"
	CodeEmptySQL             Code = "EMPTY_SQL"
	CodeBatchParse           Code = "BATCH_PARSE_ERROR"
	CodeInvalidSQL           Code = "INVALID_SQL"
	CodeInvalidParameter     Code = "INVALID_PARAMETER"
	CodeParamsWithBatch      Code = "PARAMS_WITH_BATCH"
	CodeSQLExecution         Code = "SQL_EXECUTION_ERROR"
	CodePermissionDenied     Code = "PERMISSION_DENIED"
	CodeRateLimit            Code = "RATE_LIMIT_EXCEEDED"
	CodeInternal             Code = "INTERNAL_ERROR"
	CodeShuttingDown         Code = "SHUTTING_DOWN"
	CodeTimeout              Code = "TIMEOUT"
	CodeBodyTooLarge         Code = "BODY_TOO_LARGE"
	CodeResourceExhausted    Code = "RESOURCE_EXHAUSTED"
	CodeUnavailable          Code = "UNAVAILABLE"
	CodeMissingAuthorization Code = "MISSING_AUTHORIZATION"
	CodeTokenExpired         Code = "TOKEN_EXPIRED"
	CodeInvalidCredentials   Code = "INVALID_CREDENTIALS" //nolint:gosec // The name of an error.
	CodeAccountLocked        Code = "ACCOUNT_LOCKED"
)

// SQLRequest is the body of POST /v1/api/sql. Params are JSON, bound to
// $1, $2, ...; NamespaceID is the namespace of unqualified names.
type SQLRequest struct {
	SQL         string            `json:"sql"`
	Params      []json.RawMessage `json:"params,omitempty"`
	NamespaceID *string           `json:"namespace_id,omitempty"`
}

// Field describes one column of a row result. Flags are among "pk", "nn" and
// "uq", in this order.
type Field struct {
	Name     string         `json:"name"`
	DataType kalam.DataType `json:"data_type"`
	Index    int            `json:"index"`
	Flags    []string       `json:"flags,omitempty"`
}

// Result is the result of one statement. Rows is nil unless the statement gives
// rows; its cells are encoded by type (docs/architecture/wire-protocol.md).
type Result struct {
	Schema         []Field             `json:"schema,omitempty"`
	Rows           [][]json.RawMessage `json:"rows,omitempty"`
	RowCount       int64               `json:"row_count"`
	Message        string              `json:"message,omitempty"`
	AsUser         string              `json:"as_user"`
	StatementIndex int                 `json:"statement_index,omitempty"`
	CacheHit       *bool               `json:"cache_hit,omitempty"`
	Truncated      bool                `json:"truncated,omitempty"`
	JobIDs         []kalam.JobID       `json:"job_ids,omitempty"`
}

// Error is the error of a response. StatementIndex is the 1-based number of the
// statement that failed, 0 when the request as a whole did; Position is the
// 1-based byte offset in the request's SQL, 0 when unknown.
type Error struct {
	Code           Code   `json:"code"`
	Message        string `json:"message"`
	Details        string `json:"details,omitempty"`
	StatementIndex int    `json:"statement_index,omitempty"`
	Position       int    `json:"position,omitempty"`
	// Hint says what to do about it, Suggestions for which names one was mistyped.
	Hint        string   `json:"hint,omitempty"`
	Suggestions []string `json:"suggestions,omitempty"`
}

// Response is the body of the answer to an SQLRequest. On an error Results holds
// the results of the statements before the one that failed. Took is in
// milliseconds.
type Response struct {
	Status  string   `json:"status"`
	Results []Result `json:"results"`
	Took    float64  `json:"took"`
	TookMS  *int64   `json:"took_ms,omitempty"`
	Error   *Error   `json:"error,omitempty"`
}

// LoginRequest is the body of POST /v1/api/auth/login; Username is an alias of User.
type LoginRequest struct {
	User     string `json:"user,omitempty"`
	Username string `json:"username,omitempty"`
	Password string `json:"password"`
}

// User is a user as the auth endpoints show it. Times are RFC 3339.
type User struct {
	ID        string  `json:"id"`
	Role      string  `json:"role"`
	Email     *string `json:"email"`
	CreatedAt string  `json:"created_at"`
	UpdatedAt string  `json:"updated_at"`
}

// LoginResponse is the answer of login and refresh. Times are RFC 3339.
type LoginResponse struct {
	User             User   `json:"user"`
	AdminUIAccess    bool   `json:"admin_ui_access"`
	ExpiresAt        string `json:"expires_at"`
	AccessToken      string `json:"access_token"`
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresAt string `json:"refresh_expires_at"`
}

// TokenRequest asks for a token for a user. Without a life it lives for 15 minutes.
type TokenRequest struct {
	User      string      `json:"user"`
	ExpiresIn *int        `json:"expires_in,omitempty"` // Seconds.
	Scopes    TokenScopes `json:"scopes"`
}

// TokenScopes narrow what a token may do; tables are "namespace.table".
type TokenScopes struct {
	ReadOnly   bool     `json:"read_only,omitempty"`
	Namespaces []string `json:"namespaces,omitempty"`
	Tables     []string `json:"tables,omitempty"`
}

// TokenResponse is the answer to a TokenRequest.
type TokenResponse struct {
	User        string `json:"user"`
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresAt   string `json:"expires_at"`
}

// MeResponse is the answer of GET /v1/api/auth/me.
type MeResponse struct {
	User          User `json:"user"`
	AdminUIAccess bool `json:"admin_ui_access"`
}

// SetupRequest is the body of POST /v1/api/auth/setup; Username is an alias of User.
type SetupRequest struct {
	User         string `json:"user,omitempty"`
	Username     string `json:"username,omitempty"`
	Password     string `json:"password"`
	RootPassword string `json:"root_password"`
	Email        string `json:"email,omitempty"`
}

// SetupResponse is the answer of setup.
type SetupResponse struct {
	User    User   `json:"user"`
	Message string `json:"message"`
}

// StatusResponse is the answer of GET /v1/api/auth/status.
type StatusResponse struct {
	NeedsSetup bool   `json:"needs_setup"`
	Message    string `json:"message"`
}

// CodeExportNotFound is the code of an ExportError.
const CodeExportNotFound Code = "EXPORT_NOT_FOUND"

// ExportError is the body of an answer that there is no such export.
type ExportError struct {
	Error string `json:"error"`
	Code  Code   `json:"code"`
}

// PlainError is the body of an error outside the SQL endpoint.
type PlainError struct {
	Error             string `json:"error"`
	Message           string `json:"message"`
	RetryAfterSeconds int    `json:"retry_after_seconds,omitempty"`
	SizeBytes         int64  `json:"size_bytes,omitempty"`
	MaxBytes          int64  `json:"max_bytes,omitempty"`
}

// Health is the answer of the health endpoints. BuildDate and what follows are
// set for loopback peers and admins only.
type Health struct {
	Status              string   `json:"status"`
	Version             string   `json:"version"`
	APIVersion          string   `json:"api_version"`
	UptimeSeconds       int64    `json:"uptime_seconds"`
	BuildDate           string   `json:"build_date,omitempty"`
	Build               string   `json:"build,omitempty"`
	Reason              string   `json:"reason,omitempty"`    // Why Status is degraded.
	Isolation           string   `json:"isolation,omitempty"` // Where queries run, and what holds for them there.
	ActiveConnections   *int64   `json:"active_connections,omitempty"`
	ActiveSubscriptions *int64   `json:"active_subscriptions,omitempty"`
	QueriesPerSecond    *float64 `json:"queries_per_second,omitempty"`
}

// Ready is the answer of the ready endpoint.
type Ready struct {
	Status  string   `json:"status"`
	Reasons []Reason `json:"reasons,omitempty"` // Why it is not ready.
}

// Reason is why a server is not ready. Message is set for loopback peers and admins only.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// Values of Ready.Status, and codes of reasons; further ones are in package engine.
const (
	StatusReady        = "ready"
	StatusNotReady     = "not ready"
	ReasonStarting     = "starting"
	ReasonShuttingDown = "shutting_down"
)

// Values of Health.Status.
const (
	HealthHealthy      = "healthy"
	HealthDegraded     = "degraded"
	HealthShuttingDown = "shutting down"
	HealthStarting     = "starting"
)
