package config

import (
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/audit"
	"github.com/kalamlake/kalam/export"
	"github.com/kalamlake/kalam/lake/layout"
	"github.com/kalamlake/kalam/maintain"
	"github.com/kalamlake/kalam/maintain/adopt"
	"github.com/kalamlake/kalam/maintain/inspect"
	"github.com/kalamlake/kalam/maintain/pair"
	"github.com/kalamlake/kalam/query/memlimit"
	"github.com/kalamlake/kalam/storages"
)

// Config is the configuration of a server. The koanf tags are the keys of the
// configuration file ("server.port") and, in upper case with '_', of the
// environment (KALAM_SERVER_PORT); the doc tags describe them in
// system.settings; secret:"true" hides a value there; reload:"true" says that a
// running server takes a change. Default is the one place of defaults.
type Config struct {
	Server       ServerConfig             `koanf:"server"`
	Storage      StorageConfig            `koanf:"storage"`
	Buffer       BufferConfig             `koanf:"buffer"`
	Query        QueryConfig              `koanf:"query"`
	QueryCache   QueryCacheConfig         `koanf:"query_cache"`
	SessionCache SessionCacheConfig       `koanf:"session_cache"`
	Flush        maintain.FlushConfig     `koanf:"flush"`
	Lake         maintain.LakeConfig      `koanf:"lake"`
	Sharding     ShardingConfig           `koanf:"sharding"`
	Jobs         maintain.JobsConfig      `koanf:"jobs"`
	Users        UsersConfig              `koanf:"users"`
	Exports      export.Config            `koanf:"exports"`
	Retention    maintain.RetentionConfig `koanf:"retention"`
	Live         LiveConfig               `koanf:"live"`
	Protocol     ProtocolConfig           `koanf:"protocol"`
	WebSocket    WebSocketConfig          `koanf:"websocket"`
	Auth         AuthConfig               `koanf:"auth"`
	Audit        audit.Config             `koanf:"audit"`
	Limits       LimitsConfig             `koanf:"limits"`
	RateLimit    RateLimitConfig          `koanf:"rate_limit"`
	Log          LogConfig                `koanf:"log"`
	Metrics      MetricsConfig            `koanf:"metrics"`
	UI           UIConfig                 `koanf:"ui"`
	Compat       CompatConfig             `koanf:"compat"`
}

// ServerConfig is the section [server].
type ServerConfig struct {
	Host          string   `koanf:"host" doc:"address to listen on"`
	Port          int      `koanf:"port" doc:"port to listen on; 0 takes a free one"`
	APIVersion    string   `koanf:"api_version" doc:"prefix of all REST paths"`
	Node          string   `koanf:"node" doc:"name of this server in job traces"`
	NodeID        int      `koanf:"node_id" doc:"worker number in seqs and SNOWFLAKE_ID(), 0 to 1023"`
	CORSOrigins   []string `koanf:"cors_origins" doc:"origins that browsers may call from; empty is the same origin only"`
	ShutdownGrace int      `koanf:"shutdown_grace_seconds" doc:"how long a stop waits for running requests"`
}

// StorageConfig is the section [storage].
type StorageConfig struct {
	DataPath           string `koanf:"data_path" doc:"data directory; one server at a time"`
	DefaultStoragePath string `koanf:"default_storage_path" doc:"root of the storage 'local'; empty is {data_path}/storage"`
	BufferPath         string `koanf:"buffer_path" doc:"directory of the write buffer; empty is {data_path}/buffer"`
	TrashHours         int    `koanf:"trash_hours" doc:"how long files that belong to nothing stay in .trash of a storage; 0 deletes them with the next run of the job"`

	ScrubSchedule       string `koanf:"scrub_schedule" doc:"cron line, in UTC, at which all files of the lake are compared with their checksums; empty is never"`
	ScrubBytesPerSecond int64  `koanf:"scrub_bytes_per_second" doc:"bytes per second that this reads at most"`

	CredentialsKey        string `koanf:"credentials_key" doc:"key that seals the credentials of storages: 32 bytes in base64 or hexadecimal, also from KALAM_CREDENTIALS_KEY; empty makes one in {data_path}/credentials.key" secret:"true"`
	RemotePath            string `koanf:"remote_path" doc:"directory for what goes to storages on S3 and what is cached of them; empty is {data_path}/remote"`
	CacheBytes            int64  `koanf:"cache_bytes" doc:"bytes that are cached of one storage on S3"`
	RequestTimeoutSeconds int    `koanf:"request_timeout_seconds" doc:"longest request to a storage on S3"`
	ConnectTimeoutSeconds int    `koanf:"connect_timeout_seconds" doc:"longest wait for a connection to a storage on S3"`
}

// TrashAge returns how long removed files stay in the trash. Hours that make no sense stay
// senseless, but do not overflow.
func (c StorageConfig) TrashAge() time.Duration {
	return time.Duration(max(-1, min(c.TrashHours, 1<<20))) * time.Hour
}

// Values of BufferConfig.Durability.
const (
	DurabilitySync    = "sync"
	DurabilityRelaxed = "relaxed"
)

// BufferConfig is the section [buffer].
type BufferConfig struct {
	Durability  string `koanf:"durability" doc:"sync: a write is acknowledged when it is on disk; relaxed: synced every 100 ms, a crash loses what came after"`
	MaxWALFiles int    `koanf:"max_wal_files" doc:"accepted, without effect in this version: memtable logs kept at most"`
	HotBytes    int64  `koanf:"hot_bytes" doc:"memory of decoded scopes that nobody uses at the moment"`
	MaxBytes    int64  `koanf:"max_bytes" doc:"bytes of buffered keys and rows: from three quarters of it on tables are flushed, at all of it writes wait up to 5 s and then fail; 0 is no limit"`
}

// Relaxed reports whether commits are acknowledged before they are synced.
func (c BufferConfig) Relaxed() bool { return c.Durability == DurabilityRelaxed }

// QueryConfig is the section [query].
type QueryConfig struct {
	Timing         bool `koanf:"timing" doc:"send took_ms and cache_hit"`
	TimeoutSeconds int  `koanf:"timeout_seconds" reload:"true" doc:"longest run of one statement; 0 is no limit"`
	// RequestTimeoutSeconds bounds a transaction too: it never outlives its request.
	RequestTimeoutSeconds int `koanf:"request_timeout_seconds" reload:"true" doc:"longest run of all statements of one request, whose open transaction is then rolled back; 0 is no limit"`

	DefaultOrder string `koanf:"default_order" doc:"accepted, without effect in this version: order of a SELECT without ORDER BY: none or pk"`
	MemoryLimit  string `koanf:"memory_limit" doc:"memory that all queries may hold together, for instance 2GB, and half of it one statement, which spills to disk before; empty is chosen from the machine"`
	Isolation    string `koanf:"isolation" doc:"process: DuckDB runs in worker processes; none: in the server's, where one user can hold up or end all; auto: process where the system allows it"`
	Workers      int    `koanf:"workers" doc:"queries that compute at a time, and again that many large ones beside them; 0 is one more than there are CPUs; without isolation always one per CPU"`
	Dialect      string `koanf:"dialect" doc:"postgresql: 7 / 2 is 3 and NULLs come first in ORDER BY ... DESC, as in KalamDB; duckdb: 3.5, and last"`
	Threads      int    `koanf:"threads" doc:"threads of DuckDB; 0 is one per CPU"`
}

// Values of QueryConfig.Isolation.
const (
	IsolationAuto    = "auto"
	IsolationProcess = "process"
	IsolationNone    = "none"
)

// Values of QueryConfig.Dialect.
const (
	DialectPostgreSQL = "postgresql"
	DialectDuckDB     = "duckdb"
)

// Timeout returns the statement timeout, 0 for none.
func (c QueryConfig) Timeout() time.Duration { return time.Duration(c.TimeoutSeconds) * time.Second }

// RequestTimeout returns the bound of a whole request, 0 for none.
func (c QueryConfig) RequestTimeout() time.Duration {
	return time.Duration(c.RequestTimeoutSeconds) * time.Second
}

// QueryCacheConfig is the section [query_cache].
type QueryCacheConfig struct {
	MaxPlans int `koanf:"max_plans" doc:"analysed statements kept"`
}

// SessionCacheConfig is the section [session_cache].
type SessionCacheConfig struct {
	MaxRegistrations int `koanf:"max_registrations_per_session" doc:"statements that are kept, read and resolved, for a user in a role"`
	TTLSeconds       int `koanf:"ttl_seconds" doc:"idle time after which what is kept for a user is dropped, 1 to 86400"`
	MaxSessions      int `koanf:"max_sessions" doc:"users with a role for whom something is kept; 0 keeps nothing"`
}

// ShardingConfig is the section [sharding].
type ShardingConfig struct {
	DefaultStrategy string `koanf:"default_strategy" doc:"strategy that SHARD_STRATEGY 'default' means"`
}

// UsersConfig is the section [users].
type UsersConfig struct {
	DeletionGraceDays int `koanf:"deletion_grace_days" doc:"days in which a dropped user can be restored, until a job removes the user's data"`
}

// Values of LiveConfig.SharedTables.
const (
	SharedDeny  = "deny"
	SharedAllow = "allow"
)

// LiveConfig is the section [live].
type LiveConfig struct {
	SharedTables            string `koanf:"shared_tables" doc:"live queries on SHARED tables: deny or allow"`
	MaxSubscriptionsPerUser int    `koanf:"max_subscriptions_per_user" doc:"live queries of one user"`
	BufferEvents            int    `koanf:"buffer_events" doc:"undelivered events after which a slow reader is closed"`
}

// Values of ProtocolConfig.Events, and of the events that a client asks for.
const (
	EventsExact   = "exact"
	EventsKalamDB = "kalamdb"
)

// ProtocolConfig is the section [protocol].
type ProtocolConfig struct {
	Events string `koanf:"events" doc:"live events of a client that asks for none in particular: exact, the changes of the query's result, or kalamdb; empty is exact, or kalamdb with compat.kalamdb"`
}

// LiveEvents returns which events a client gets that asks for none in particular.
func (c *Config) LiveEvents() string {
	switch {
	case c.Protocol.Events != "":
		return c.Protocol.Events
	case c.Compat.KalamDB:
		return EventsKalamDB
	}
	return EventsExact
}

// WebSocketConfig is the section [websocket].
type WebSocketConfig struct {
	AuthTimeoutSecs       int `koanf:"auth_timeout_secs" doc:"time for the authenticate message"`
	ClientTimeoutSecs     int `koanf:"client_timeout_secs" doc:"silence after which a connection is closed"`
	HeartbeatIntervalSecs int `koanf:"heartbeat_interval_secs" doc:"interval of pings and checks"`
	MaxMessagesPerSec     int `koanf:"max_messages_per_sec" doc:"frames a client may send per second"`
}

// AuthConfig is the section [auth].
type AuthConfig struct {
	JWTSecret         string   `koanf:"jwt_secret" doc:"secret of access tokens; empty generates one and keeps it in the data directory" secret:"true"`
	JWTIssuer         string   `koanf:"jwt_issuer" doc:"issuer of access tokens"`
	JWTExpiryHours    int      `koanf:"jwt_expiry_hours" doc:"life of an access token; a refresh token lives 7 times as long"`
	BcryptCost        int      `koanf:"bcrypt_cost" doc:"cost of password hashes, 4 to 31"`
	AllowRemoteSetup  bool     `koanf:"allow_remote_setup" doc:"setup from other machines"`
	CookieSecure      bool     `koanf:"cookie_secure" doc:"mark cookies Secure when the request came over https"`
	TrustedSecrets    []string `koanf:"trusted_secrets" doc:"applications whose HS256 tokens are taken, each as issuer=secret with a secret of at least 32 bytes" secret:"true"`
	OIDCIssuers       []string `koanf:"oidc_issuers" doc:"OIDC issuers whose tokens are taken: their https URLs, by which their keys are found"`
	ExternalAudience  string   `koanf:"external_audience" doc:"audience that tokens of other issuers must have"`
	ExternalUserClaim string   `koanf:"external_user_claim" doc:"claim of such a token that is the user's id"`
	ExternalRoleClaim string   `koanf:"external_role_claim" doc:"claim of such a token that is the role, which narrows that of the user; empty is none"`
	ExternalMaxRole   string   `koanf:"external_max_role" doc:"highest role by such a claim: user, service or dba"`
	ExternalProvision bool     `koanf:"external_provision" doc:"create the user of such a token when it is seen first"`
	MaxKeysPerUser    int      `koanf:"max_api_keys_per_user" doc:"API keys of one user; 0 is no limit"`
}

// LimitsConfig is the section [limits].
type LimitsConfig struct {
	MaxResultRows    int64 `koanf:"max_result_rows" reload:"true" doc:"rows of one result; 0 is no limit; a cut is marked"`
	MaxRowBytes      int64 `koanf:"max_row_bytes" reload:"true" doc:"encoded size of one row"`
	MaxBodyBytes     int64 `koanf:"max_body_bytes" doc:"size of a request body"`
	MaxTablesPerUser int   `koanf:"max_tables_per_user" doc:"tables that a user of role user may create; 0 is no limit"`
}

// RateLimitConfig is the section [rate_limit]; 0 disables a limit.
type RateLimitConfig struct {
	MaxQueriesPerSec    int `koanf:"max_queries_per_sec" reload:"true" doc:"queries of one user per second"`
	MaxRequestsPerIP    int `koanf:"max_requests_per_ip_per_sec" reload:"true" doc:"requests of one address per second"`
	MaxConnectionsPerIP int `koanf:"max_connections_per_ip" reload:"true" doc:"open connections of one address"`
	MaxAuthPerIP        int `koanf:"max_auth_requests_per_ip_per_sec" reload:"true" doc:"login attempts of one address per second"`
	BanSeconds          int `koanf:"ban_duration_seconds" reload:"true" doc:"ban of an address after 10 violations"`
}

// LogConfig is the section [log].
type LogConfig struct {
	Level       string `koanf:"level" reload:"true" doc:"debug, info, warn or error"`
	Format      string `koanf:"format" doc:"text or json"`
	File        string `koanf:"file" doc:"log file; empty is standard error"`
	MaxFileSize int64  `koanf:"max_file_size" doc:"bytes at which the file is rotated"`
	MaxAge      int    `koanf:"max_age" doc:"days that rotated files are kept"`
	MaxFiles    int    `koanf:"max_files" doc:"rotated files kept"`
	SlowQueryMS int    `koanf:"slow_query_ms" reload:"true" doc:"statements above this are logged as warnings; 0 logs none"`
}

// MetricsConfig is the section [metrics].
type MetricsConfig struct {
	Enabled   bool   `koanf:"enabled" doc:"answer GET /metrics, the figures of the server for Prometheus, to this machine and to admins"`
	Listen    string `koanf:"listen" doc:"a further address, HOST:PORT, that answers GET /metrics and nothing else, to whoever reaches it; empty is none"`
	MaxTables int    `koanf:"max_tables" doc:"tables with figures of their own in /metrics, the largest first; the others are summed"`
}

// UIConfig is the section [ui].
type UIConfig struct {
	Enabled bool `koanf:"enabled" doc:"answer GET /ui, the console for browsers"`
}

// CompatConfig is the section [compat].
type CompatConfig struct {
	KalamDB bool `koanf:"kalamdb" doc:"behaviours of KalamDB that kalam does not take by default: its live events"`
}

// Default returns the configuration of a server that was told nothing.
func Default() Config {
	m := maintain.DefaultConfig()
	return Config{
		Server: ServerConfig{Host: "127.0.0.1", Port: 8080, APIVersion: "v1", Node: "localhost", ShutdownGrace: 10},
		Storage: StorageConfig{
			DataPath: "./data", TrashHours: int(m.TrashAge / time.Hour), ScrubSchedule: m.ScrubSchedule,
			ScrubBytesPerSecond: m.ScrubBytesPerSecond,
			CacheBytes:          4 << 30, RequestTimeoutSeconds: 60, ConnectTimeoutSeconds: 10,
		},
		Buffer: BufferConfig{Durability: DurabilitySync, MaxWALFiles: 3, HotBytes: 256 << 20, MaxBytes: 1 << 30},
		Query: QueryConfig{
			Timing: true, TimeoutSeconds: 30, RequestTimeoutSeconds: 300, DefaultOrder: "none", Dialect: DialectPostgreSQL,
			Isolation: IsolationAuto,
		},
		QueryCache:   QueryCacheConfig{MaxPlans: 1000},
		SessionCache: SessionCacheConfig{MaxRegistrations: 100, TTLSeconds: 1800, MaxSessions: 1000},
		Flush:        m.Flush,
		Lake:         m.Lake,
		Sharding:     ShardingConfig{DefaultStrategy: "alphabetic"},
		Jobs:         m.Jobs,
		Users:        UsersConfig{DeletionGraceDays: 30},
		Exports:      export.DefaultConfig(),
		Retention:    m.Retention,
		Live:         LiveConfig{SharedTables: SharedDeny, MaxSubscriptionsPerUser: 100, BufferEvents: 1000},
		WebSocket: WebSocketConfig{AuthTimeoutSecs: 3, ClientTimeoutSecs: 10,
			HeartbeatIntervalSecs: 5, MaxMessagesPerSec: 50},
		Auth: AuthConfig{JWTIssuer: "kalamdb", JWTExpiryHours: 24, BcryptCost: 12, CookieSecure: true, MaxKeysPerUser: 50,
			ExternalUserClaim: "sub", ExternalMaxRole: "user"},
		Audit:  audit.DefaultConfig(),
		Limits: LimitsConfig{MaxRowBytes: 8 << 20, MaxBodyBytes: 10 << 20, MaxTablesPerUser: 100},
		RateLimit: RateLimitConfig{
			MaxQueriesPerSec: 10000, MaxRequestsPerIP: 20000, MaxConnectionsPerIP: 10000, MaxAuthPerIP: 20, BanSeconds: 300,
		},
		Log:     LogConfig{Level: "info", Format: "text", MaxFileSize: 100 << 20, MaxAge: 30, MaxFiles: 10, SlowQueryMS: 1000},
		Metrics: MetricsConfig{Enabled: true, MaxTables: 100},
		UI:      UIConfig{Enabled: true},
	}
}

// BufferPath returns the directory of the write buffer.
func (c *Config) BufferPath() string {
	if c.Storage.BufferPath != "" {
		return c.Storage.BufferPath
	}
	return filepath.Join(c.Storage.DataPath, "buffer")
}

// StoragePath returns the root of the storage 'local'.
func (c *Config) StoragePath() string {
	if c.Storage.DefaultStoragePath != "" {
		return c.Storage.DefaultStoragePath
	}
	return filepath.Join(c.Storage.DataPath, "storage")
}

// TemporaryPath returns the directory whose files mean nothing after a restart.
func (c *Config) TemporaryPath() string { return filepath.Join(c.Storage.DataPath, "tmp") }

// ExportPath returns the directory of the files of EXPORT USER DATA.
func (c *Config) ExportPath() string { return filepath.Join(c.Storage.DataPath, "exports") }

// Storages returns the configuration of the storages beside "local".
func (c *Config) Storages() storages.Config {
	remote := c.Storage.RemotePath
	if remote == "" {
		remote = filepath.Join(c.Storage.DataPath, "remote")
	}
	return storages.Config{
		CredentialsKey: c.Storage.CredentialsKey, KeyFile: filepath.Join(c.Storage.DataPath, "credentials.key"),
		Dir: remote, CacheBytes: c.Storage.CacheBytes, Data: c.Storage.DataPath,
		Reserved:       []string{c.BufferPath(), c.StoragePath(), c.TemporaryPath(), remote},
		RequestTimeout: time.Duration(c.Storage.RequestTimeoutSeconds) * time.Second,
		ConnectTimeout: time.Duration(c.Storage.ConnectTimeoutSeconds) * time.Second,
	}
}

// Pair returns where the halves of the lake are.
func (c *Config) Pair() pair.Config {
	return pair.Config{
		DataPath: c.Storage.DataPath, BufferPath: c.BufferPath(), StoragePath: c.StoragePath(), Relaxed: c.Buffer.Relaxed(),
	}
}

// Maintain returns the configuration of maintenance.
func (c *Config) Maintain() maintain.Config {
	return maintain.Config{
		Node: c.Server.Node, MaxBytes: c.Buffer.MaxBytes,
		Grace:    time.Duration(c.Users.DeletionGraceDays) * 24 * time.Hour,
		TrashAge: c.Storage.TrashAge(), ScrubSchedule: c.Storage.ScrubSchedule,
		ScrubBytesPerSecond: c.Storage.ScrubBytesPerSecond,
		Flush:               c.Flush, Lake: c.Lake, Jobs: c.Jobs, Retention: c.Retention,
	}
}

// Adopt returns what adopting the lake needs.
func (c *Config) Adopt() adopt.Config {
	return adopt.Config{Pair: c.Pair(), DefaultStrategy: c.Sharding.DefaultStrategy, BcryptCost: c.Auth.BcryptCost}
}

// Inspect returns what looking at a lake without a server needs.
func (c *Config) Inspect() inspect.Config {
	return inspect.Config{Pair: c.Pair(), Storages: c.Storages(), DefaultStrategy: c.Sharding.DefaultStrategy}
}

// rule is one check of Validate: bad says that the value of key breaks it.
type rule struct {
	bad       bool
	key, want string
}

// rules are the checks of the sections that are not of package maintain.
func (c *Config) rules() []rule {
	_, memory := memlimit.Parse(c.Query.MemoryLimit)
	_, strategy := layout.NewStrategies(nil, c.Sharding.DefaultStrategy, 0)
	return []rule{
		{c.Server.Port < 0 || c.Server.Port > 65535, "server.port", "0 to 65535"},
		{c.Server.APIVersion == "", "server.api_version", "a path segment such as v1"},
		{c.Server.NodeID < 0 || c.Server.NodeID > kalam.MaxWorker, "server.node_id", "0 to 1023"},
		{c.Storage.DataPath == "", "storage.data_path", "a directory"},
		{!storages.ValidKey(c.Storage.CredentialsKey), "storage.credentials_key", "32 bytes in base64 or hexadecimal"},
		{c.Storage.CacheBytes < 1<<20, "storage.cache_bytes", "at least 1048576"},
		{c.Storage.RequestTimeoutSeconds < 1, "storage.request_timeout_seconds", "at least 1"},
		{c.Storage.ConnectTimeoutSeconds < 1, "storage.connect_timeout_seconds", "at least 1"},
		{c.Buffer.Durability != DurabilitySync && c.Buffer.Durability != DurabilityRelaxed,
			"buffer.durability", "sync or relaxed"},
		{c.Buffer.MaxWALFiles < 1, "buffer.max_wal_files", "at least 1"},
		{c.Buffer.MaxBytes < 0, "buffer.max_bytes", "0 or more"},
		{c.Query.TimeoutSeconds < 0, "query.timeout_seconds", "0 or more"},
		{c.Query.RequestTimeoutSeconds < 0, "query.request_timeout_seconds", "0 or more"},
		{c.Query.DefaultOrder != "none" && c.Query.DefaultOrder != "pk", "query.default_order", "none or pk"},
		{c.Query.Dialect != DialectPostgreSQL && c.Query.Dialect != DialectDuckDB, "query.dialect", "postgresql or duckdb"},
		{
			c.Query.Isolation != IsolationAuto && c.Query.Isolation != IsolationProcess && c.Query.Isolation != IsolationNone,
			"query.isolation", "auto, process or none",
		},
		{c.Query.MemoryLimit != "" && memory != nil, "query.memory_limit", "a size such as 2GB"},
		{strategy != nil, "sharding.default_strategy", "alphabetic, numeric or hash"},
		{c.Query.Workers < 0, "query.workers", "0 or more"},
		{c.Query.Threads < 0, "query.threads", "0 or more"},
		{c.QueryCache.MaxPlans < 1, "query_cache.max_plans", "at least 1"},
		{c.SessionCache.MaxRegistrations < 1, "session_cache.max_registrations_per_session", "at least 1"},
		{c.SessionCache.MaxSessions < 0, "session_cache.max_sessions", "at least 0"},
		{c.SessionCache.TTLSeconds < 1 || c.SessionCache.TTLSeconds > 86400, "session_cache.ttl_seconds", "1 to 86400"},
		{c.Live.SharedTables != SharedDeny && c.Live.SharedTables != SharedAllow, "live.shared_tables", "deny or allow"},
		{c.Live.MaxSubscriptionsPerUser < 1, "live.max_subscriptions_per_user", "at least 1"},
		{c.Protocol.Events != "" && c.Protocol.Events != EventsExact && c.Protocol.Events != EventsKalamDB,
			"protocol.events", "exact or kalamdb"},
		{c.Live.BufferEvents < 1, "live.buffer_events", "at least 1"},
		{c.WebSocket.AuthTimeoutSecs < 1, "websocket.auth_timeout_secs", "at least 1"},
		{c.WebSocket.ClientTimeoutSecs < 1, "websocket.client_timeout_secs", "at least 1"},
		{c.WebSocket.HeartbeatIntervalSecs < 1, "websocket.heartbeat_interval_secs", "at least 1"},
		{c.Auth.JWTExpiryHours < 1, "auth.jwt_expiry_hours", "at least 1"},
		{c.Auth.BcryptCost < 4 || c.Auth.BcryptCost > 31, "auth.bcrypt_cost", "4 to 31"},
		{c.Limits.MaxResultRows < 0, "limits.max_result_rows", "0 or more"},
		{c.Limits.MaxRowBytes < 1, "limits.max_row_bytes", "at least 1"},
		{c.Limits.MaxBodyBytes < 1, "limits.max_body_bytes", "at least 1"},
		{c.Auth.MaxKeysPerUser < 0, "auth.max_api_keys_per_user", "0 or more"},
		{c.Audit.RetentionDays < 0 || c.Audit.RetentionDays > 36500, "audit.retention_days", "0 to 36500"},
		{c.Audit.MaxBytes < 1<<20, "audit.max_bytes", "at least 1048576"},
		{c.Limits.MaxTablesPerUser < 0, "limits.max_tables_per_user", "0 or more"},
		{c.Users.DeletionGraceDays < 0 || c.Users.DeletionGraceDays > 36500, "users.deletion_grace_days", "0 to 36500"},
		{c.Exports.RetentionHours < 1 || c.Exports.RetentionHours > 8760, "exports.retention_hours", "1 to 8760"},
		{c.Exports.MaxBytes < 1<<20, "exports.max_bytes", "at least 1048576"},
		{c.Exports.MaxPerUser < 1, "exports.max_per_user", "at least 1"},
		{c.Exports.MaxConcurrent < 1, "exports.max_concurrent", "at least 1"},
		{c.Log.Format != "text" && c.Log.Format != "json", "log.format", "text or json"},
		{c.Metrics.MaxTables < 0 || c.Metrics.MaxTables > 10000, "metrics.max_tables", "0 to 10000"},
		{c.Metrics.Listen != "" && !isAddress(c.Metrics.Listen), "metrics.listen", "HOST:PORT"},
	}
}

// Problems tells of every value that cannot be used; the messages name its key and what is expected.
func (c *Config) Problems() (list []error) {
	for _, r := range c.rules() {
		if r.bad {
			list = append(list, kalam.Errorf(kalam.CodeInvalidInput, "configuration key %s: expected %s", r.key, r.want))
		}
	}
	m := c.Maintain()
	return append(list, m.Problems()...)
}

// isAddress reports whether s is HOST:PORT, as a listener takes it; the host may be missing.
func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// WithoutEffect names the keys that were changed from their default but that
// this version only accepts.
func (c *Config) WithoutEffect() []string {
	d := Default()
	var out []string
	for _, k := range []struct {
		changed bool
		key     string
	}{
		{c.Query.DefaultOrder != d.Query.DefaultOrder, "query.default_order"},
		{c.Buffer.MaxWALFiles != d.Buffer.MaxWALFiles, "buffer.max_wal_files"},
	} {
		if k.changed {
			out = append(out, k.key)
		}
	}
	return out
}
