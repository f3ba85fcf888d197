package ast

import (
	"log/slog"

	"github.com/kalamlake/kalam"
)

// Secret is a password or credential of a statement. It prints as [redacted];
// convert it to string to use it.
type Secret string

// String returns "[redacted]".
func (Secret) String() string { return "[redacted]" }

// GoString returns "[redacted]".
func (Secret) GoString() string { return "[redacted]" }

// LogValue returns "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText returns "[redacted]".
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Property is one `key = value` of a list of options. Value is a TEXT, BOOLEAN,
// BIGINT or DOUBLE.
type Property struct {
	Key   string
	Value kalam.Value
	Pos   int
}

// CreateNamespace is CREATE NAMESPACE.
type CreateNamespace struct {
	Namespace   kalam.NamespaceID
	IfNotExists bool
	Options     []Property
	Pos         int
}

// AlterNamespace is ALTER NAMESPACE ... SET OPTIONS.
type AlterNamespace struct {
	Namespace Ident
	Options   []Property
}

// DropNamespace is DROP NAMESPACE.
type DropNamespace struct {
	Namespace Ident
	IfExists  bool
	Cascade   bool
}

// ShowNamespaces is SHOW NAMESPACES.
type ShowNamespaces struct{}

// ShowTables is SHOW TABLES; Namespace is nil without IN.
type ShowTables struct{ Namespace *Ident }

// ShowStorages is SHOW STORAGES.
type ShowStorages struct{}

// ShowJobs is SHOW JOBS.
type ShowJobs struct{}

// ShowManifest is SHOW MANIFEST [FOR [TABLE] t].
type ShowManifest struct{ Table *Name } // nil: of all tables.

// ShowCreate is SHOW CREATE TABLE t.
type ShowCreate struct{ Table Name }

// ShowColumns is SHOW COLUMNS FROM t.
type ShowColumns struct{ Table Name }

// ShowStats is SHOW TABLE STATS t or SHOW STATS FOR TABLE t.
type ShowStats struct{ Table Name }

// Describe is DESCRIBE [TABLE] t [HISTORY [LIMIT n]].
type Describe struct {
	Table   Name
	History bool
	Limit   int // Of HISTORY, 0 when not given.
}

// AuthKind is how a user signs in.
type AuthKind uint8

// The ways to sign in. AuthNone: the statement does not say.
const (
	AuthNone AuthKind = iota
	AuthPassword
	AuthOAuth
	AuthInternal
)

// String returns the word of system.users.auth_type, "" for AuthNone.
func (a AuthKind) String() string { return [...]string{"", "password", "oauth", "internal"}[a&3] }

// CreateUser is CREATE USER.
type CreateUser struct {
	User        kalam.UserID
	IfNotExists bool
	Auth        AuthKind
	Password    Secret
	OAuth       Secret // JSON; "" when the statement has none.
	Role        kalam.Role
	Email       string
	Storage     kalam.StorageID // Of the user's own; "" for none.
	Pos         int
}

// AlterUser is ALTER USER; nil fields are not changed. An empty Email removes it, and so does an
// empty Storage.
type AlterUser struct {
	User     kalam.UserID
	Password *Secret
	Role     *kalam.Role
	Email    *string
	Storage  *kalam.StorageID
	Pos      int
}

// ExportData is EXPORT USER DATA [FORMAT f]; Format is parquet, csv or ndjson.
type ExportData struct{ Format string }

// ShowExport is SHOW EXPORT.
type ShowExport struct{}

// RestoreUser is ALTER USER ... RESTORE.
type RestoreUser struct {
	User kalam.UserID
	Pos  int
}

// DropUser is DROP USER; Purge, of DROP USER ... PURGE, removes at once and for good what the user has.
type DropUser struct {
	User     kalam.UserID
	IfExists bool
	Purge    bool
	Pos      int
}

// StorageSettings are the clauses of CREATE and ALTER STORAGE; nil was not given.
type StorageSettings struct {
	Name           *string
	Description    *string
	URI            *string // Also from PATH, BASE_DIRECTORY and BUCKET.
	Region         *string
	SharedTemplate *string
	UserTemplate   *string
	Credentials    *Secret // JSON object.
	Config         *string // JSON object.
}

// CreateStorage is CREATE STORAGE.
type CreateStorage struct {
	Storage     kalam.StorageID
	IfNotExists bool
	Type        string // filesystem or s3.
	Settings    StorageSettings
	Pos         int
}

// AlterStorage is ALTER STORAGE id SET ...
type AlterStorage struct {
	Storage  kalam.StorageID
	Settings StorageSettings
	Pos      int
}

// DropStorage is DROP STORAGE.
type DropStorage struct {
	Storage  kalam.StorageID
	IfExists bool
	Pos      int
}

// CheckStorage is STORAGE CHECK id [EXTENDED].
type CheckStorage struct {
	Storage  kalam.StorageID
	Extended bool
	Pos      int
}

// FlushTable is STORAGE FLUSH TABLE t.
type FlushTable struct{ Table Name }

// FlushAll is STORAGE FLUSH ALL; Namespace is nil without IN.
type FlushAll struct{ Namespace *Ident }

// BackupDatabase is BACKUP DATABASE TO 'x'; To is the id of a storage or an absolute directory of the server.
type BackupDatabase struct {
	To  string
	Pos int
}

// VerifyStorage is STORAGE VERIFY.
type VerifyStorage struct{}

// ExportCatalog is STORAGE EXPORT CATALOG t [FOR USER 'u'] FORMAT f; User is "" without FOR, Format iceberg.
type ExportCatalog struct {
	Table  Name
	User   kalam.UserID
	Format string
	Pos    int // Of the user.
}

// CompactTable is STORAGE COMPACT TABLE t; Retain, nil without RETAIN, are the hours for
// which deleted rows are kept. PURGE DELETED is RETAIN 0 HOURS.
type CompactTable struct {
	Table  Name
	Retain *int
}

// CompactAll is STORAGE COMPACT ALL; Namespace is nil without IN, Retain as in CompactTable.
type CompactAll struct {
	Namespace *Ident
	Retain    *int
}

// KillJob is KILL JOB id.
type KillJob struct {
	Job kalam.JobID
	Pos int
}

// KillQuery is KILL QUERY id.
type KillQuery struct {
	ID  string
	Pos int // Of the id in the text, in bytes.
}

// KillLive is KILL LIVE QUERY id.
type KillLive struct {
	ID  string
	Pos int
}

// ClearCache is CLEAR CACHE.
type ClearCache struct{}

// Verb returns "CREATE NAMESPACE".
func (*CreateNamespace) Verb() string { return "CREATE NAMESPACE" }

// Verb returns "ALTER NAMESPACE".
func (*AlterNamespace) Verb() string { return "ALTER NAMESPACE" }

// Verb returns "DROP NAMESPACE".
func (*DropNamespace) Verb() string { return "DROP NAMESPACE" }

// Verb returns "SHOW NAMESPACES".
func (*ShowNamespaces) Verb() string { return "SHOW NAMESPACES" }

// Verb returns "SHOW TABLES".
func (*ShowTables) Verb() string { return "SHOW TABLES" }

// Verb returns "SHOW STORAGES".
func (*ShowStorages) Verb() string { return "SHOW STORAGES" }

// Verb returns "SHOW MANIFEST".
func (*ShowManifest) Verb() string { return "SHOW MANIFEST" }

// Verb returns "SHOW JOBS".
func (*ShowJobs) Verb() string { return "SHOW JOBS" }

// Verb returns "SHOW COLUMNS".
func (*ShowCreate) Verb() string { return "SHOW CREATE TABLE" }

// Verb returns "SHOW COLUMNS".
func (*ShowColumns) Verb() string { return "SHOW COLUMNS" }

// Verb returns "SHOW STATS".
func (*ShowStats) Verb() string { return "SHOW STATS" }

// Verb returns "DESCRIBE".
func (*Describe) Verb() string { return "DESCRIBE" }

// Verb returns "CREATE USER".
func (*CreateUser) Verb() string { return "CREATE USER" }

// Verb returns "ALTER USER".
func (*AlterUser) Verb() string { return "ALTER USER" }

// Verb returns "EXPORT USER DATA".
func (*ExportData) Verb() string { return "EXPORT USER DATA" }

// Verb returns "SHOW EXPORT".
func (*ShowExport) Verb() string { return "SHOW EXPORT" }

// Verb returns "ALTER USER".
func (*RestoreUser) Verb() string { return "ALTER USER" }

// Verb returns "DROP USER".
func (*DropUser) Verb() string { return "DROP USER" }

// Verb returns "CREATE STORAGE".
func (*CreateStorage) Verb() string { return "CREATE STORAGE" }

// Verb returns "ALTER STORAGE".
func (*AlterStorage) Verb() string { return "ALTER STORAGE" }

// Verb returns "DROP STORAGE".
func (*DropStorage) Verb() string { return "DROP STORAGE" }

// Verb returns "STORAGE CHECK".
func (*CheckStorage) Verb() string { return "STORAGE CHECK" }

// Verb returns "STORAGE FLUSH TABLE".
func (*FlushTable) Verb() string { return "STORAGE FLUSH TABLE" }

// Verb returns "STORAGE FLUSH ALL".
func (*FlushAll) Verb() string { return "STORAGE FLUSH ALL" }

// Verb returns "STORAGE VERIFY".
func (*VerifyStorage) Verb() string { return "STORAGE VERIFY" }

// Verb returns "BACKUP DATABASE".
func (*BackupDatabase) Verb() string { return "BACKUP DATABASE" }

// Verb returns "STORAGE EXPORT CATALOG".
func (*ExportCatalog) Verb() string { return "STORAGE EXPORT CATALOG" }

// Verb returns "STORAGE COMPACT TABLE".
func (*CompactTable) Verb() string { return "STORAGE COMPACT TABLE" }

// Verb returns "STORAGE COMPACT ALL".
func (*CompactAll) Verb() string { return "STORAGE COMPACT ALL" }

// Verb returns "KILL JOB".
func (*KillJob) Verb() string { return "KILL JOB" }

// Verb returns "KILL QUERY".
func (*KillQuery) Verb() string { return "KILL QUERY" }

// Verb returns "KILL LIVE QUERY".
func (*KillLive) Verb() string { return "KILL LIVE QUERY" }

// Verb returns "CLEAR CACHE".
func (*ClearCache) Verb() string { return "CLEAR CACHE" }
