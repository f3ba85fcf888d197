package kalam

import "time"

// TableKind says whose rows a table holds and where they live.
type TableKind uint8

// The kinds of table.
const (
	KindUserTable   TableKind = iota + 1 // Each user has their own rows; flushed to the lake.
	KindSharedTable                      // One set of rows for all; flushed to the lake.
	KindStreamTable                      // Each user's rows live for the table's TTL, in the buffer only.
	KindSystemTable                      // Computed by the server: system.* and information_schema.*.
)

// String returns the lower-case word of system.tables: user, shared, stream, system.
func (k TableKind) String() string {
	switch k {
	case KindUserTable:
		return "user"
	case KindSharedTable:
		return "shared"
	case KindStreamTable:
		return "stream"
	case KindSystemTable:
		return "system"
	}
	return "unknown"
}

// IsFlushed reports whether rows of such a table move from the buffer to the lake.
func (k TableKind) IsFlushed() bool { return k == KindUserTable || k == KindSharedTable }

// NeedsKey reports whether such a table must declare a primary key: by it rows in
// the lake are found and replaced.
func (k TableKind) NeedsKey() bool { return k.IsFlushed() }

// AccessLevel says which roles read and write a SHARED table.
type AccessLevel uint8

// The access levels; AccessPrivate is the default.
const (
	AccessPrivate AccessLevel = iota
	AccessPublic
	AccessRestricted
	AccessDBA
)

// String returns the lower-case name.
func (a AccessLevel) String() string {
	return [...]string{"private", "public", "restricted", "dba"}[a&3]
}

// ParseAccessLevel returns the level named s (lower case).
func ParseAccessLevel(s string) (AccessLevel, error) {
	for a := AccessPrivate; a <= AccessDBA; a++ {
		if a.String() == s {
			return a, nil
		}
	}
	return 0, Errorf(CodeInvalidSQL, "unknown access level '%s' (expected public, private, restricted or dba)", s)
}

// DefaultFunc is what fills an omitted column.
type DefaultFunc uint8

// The default functions. DefaultLiteral means the literal Default.Value.
const (
	DefaultLiteral DefaultFunc = iota
	DefaultNow                 // NOW(), CURRENT_TIMESTAMP: once per statement.
	DefaultSnowflakeID
	DefaultUUIDV7
	DefaultULID
	DefaultCurrentUser
	DefaultCounter // The next value of the column's counter in the scope.
)

// String returns the SQL spelling of the function, "" for a literal.
func (f DefaultFunc) String() string {
	return [...]string{"", "NOW()", "SNOWFLAKE_ID()", "UUID_V7()", "ULID()", "CURRENT_USER()", "AUTO_INCREMENT"}[f]
}

// Default is the DEFAULT of a column.
type Default struct {
	Func   DefaultFunc
	Value  Value  // For DefaultLiteral, of the column's kind.
	SQL    string // As written, for DESCRIBE.
	Always bool   // GENERATED ALWAYS: a statement gives no other value, or says that it overrides.
}

// Column is one column of a table.
type Column struct {
	ID      ColumnID
	Name    string
	Type    DataType
	NotNull bool
	Default *Default // nil: NULL when omitted.
	Comment string
	// Missing is what rows hold in the column that were written before it was added, of its type or NULL. It is fixed
	// when the column is added: a later change of the default leaves them as they are.
	Missing Value
}

// IsCounted reports whether a counter fills the column when it is omitted.
func (c *Column) IsCounted() bool { return c.Default != nil && c.Default.Func == DefaultCounter }

// TableOptions are the clauses of CREATE TABLE. A zero field means "not given".
type TableOptions struct {
	StorageID             StorageID
	UseUserStorage        bool
	FlushInterval         time.Duration
	FlushRows             int
	FlushManual           bool   // FLUSH_POLICY 'manual': no automatic flush.
	FlushCron             string // Line of package jobs' Schedule; "" for none.
	FlushCronTZ           string // Name of the time zone of FlushCron; "" is UTC.
	TTL                   time.Duration
	MaxStreamBytes        int64 // Of a STREAM table: of its rows, all users together; 0 is no limit.
	Access                AccessLevel
	ShardStrategy         string
	DeletedRetentionHours int
}

// Table is one version of a table's definition. It is immutable once published
// by the catalog: a change makes a new Table.
type Table struct {
	ID            TableID
	Number        TableNumber
	Kind          TableKind
	Columns       []Column // In creation order, without the system columns.
	PrimaryKey    []int    // Indexes into Columns, in key order; empty: see HasHiddenKey.
	Options       TableOptions
	SchemaVersion int    // From 1.
	Creator       UserID // Empty for a table of a version that did not note it.
	Comment       string
	// Folder is the name in the paths of its files, where that is not its own: they stay where they are when the table
	// is renamed. No two tables have the same folder.
	Folder    TableName
	CreatedAt time.Time
	UpdatedAt time.Time
}

// ColumnIndex returns the index in Columns of the column named name (lower
// case), or -1.
func (t *Table) ColumnIndex(name string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// FolderName returns the name that stands for the table in the paths of its files.
func (t *Table) FolderName() TableName {
	if t.Folder != "" {
		return t.Folder
	}
	return t.ID.Name
}

// FolderID returns the id that the files of the table tell.
func (t *Table) FolderID() TableID { return TableID{Namespace: t.ID.Namespace, Name: t.FolderName()} }

// HasHiddenKey reports whether the table declares no primary key. Each row that is
// inserted then gets a key of its own, which no column holds and nobody sees.
func (t *Table) HasHiddenKey() bool { return len(t.PrimaryKey) == 0 }

// IsKey reports whether column i is part of the primary key.
func (t *Table) IsKey(i int) bool {
	for _, k := range t.PrimaryKey {
		if k == i {
			return true
		}
	}
	return false
}

// ScopeOf returns the scope in which user's rows of t live.
func (t *Table) ScopeOf(user UserID) Scope {
	if t.Kind == KindSharedTable {
		user = ""
	}
	return Scope{Table: t.Number, User: user}
}

// Flushable reports whether rows of t move to the lake. Those of a table that is not
// stay in the buffer until they expire.
func (t *Table) Flushable() bool { return t.Kind.IsFlushed() }

// Expires reports whether rows of t become invisible once they are older than its TTL.
func (t *Table) Expires() bool { return t.Options.TTL > 0 }

// RetentionHours is how long tombstones of t are kept; standard is that of a table that does not say it.
func (t *Table) RetentionHours(standard int) int {
	if t.Options.DeletedRetentionHours > 0 {
		return t.Options.DeletedRetentionHours
	}
	return standard
}

// Updatable reports whether rows of t can be changed. Others are only inserted and deleted.
func (t *Table) Updatable() bool { return t.Kind != KindStreamTable }

// IsShared reports whether rows of t belong to nobody: it is one scope for all users.
func (t *Table) IsShared() bool { return t.Kind == KindSharedTable }

// IsComputed reports whether the server computes t's rows whenever it is read.
func (t *Table) IsComputed() bool { return t.Kind == KindSystemTable }

// HasScopePerUser reports whether rows of t belong to users.
func (t *Table) HasScopePerUser() bool {
	return t.Kind == KindUserTable || t.Kind == KindStreamTable
}
