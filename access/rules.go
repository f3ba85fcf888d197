package access

import "github.com/kalamlake/kalam"

// intentWords are the intents as statements call them.
var intentWords = [intents]string{
	See: "see", Read: "read", Serve: "read", Follow: "follow", Insert: "insert", Update: "update", Delete: "delete",
	Truncate: "truncate", WriteAs: "write", Count: "count", Maintain: "maintain", Create: "create", Alter: "alter",
	Drop: "drop", Share: "share",
}

// Intent is what a principal wants to do with a table.
type Intent uint8

// The intents.
const (
	See      Intent = iota // To know that it exists, and how it is defined.
	Read                   // To read rows.
	Serve                  // To read rows by a text of the server's own, which says what is shown: SHOW.
	Follow                 // To follow its changes by a live query.
	Insert                 // To insert rows.
	Update                 // To change rows.
	Delete                 // To delete rows.
	Truncate               // To delete all rows.
	WriteAs                // To write rows for another user, by EXECUTE AS.
	Count                  // To know how many rows it has over all users.
	Maintain               // To order a flush or a compaction.
	Create                 // To create one such.
	Alter                  // To change its definition.
	Drop                   // To drop it.
	Share                  // To grant rights on it, and to revoke them.
	intents
)

// class is what the rules tell apart among tables.
type class uint8

const (
	unknown    class = iota // Of a kind or level that this version does not know.
	perUser                 // USER.
	stream                  // STREAM.
	public                  // SHARED, by access level.
	private                 //
	restricted              //
	dba                     //
	open                    // Computed; shows each principal what is theirs.
	closed                  // Computed, about all of the server.
	classes
)

// cell says who may.
type cell uint8

const (
	nobody   cell = iota
	everyone      // Anonymous too.
	users         // Role user and above.
	services      // Role service and above.
	admins        // Roles dba and system.
	svcOwner      // services, and role user in what is their own, see Resolver.owns.
	dbaOwner      // admins, and role user and above in what is their own.
	dbaMaker      // admins, and role service in what is its own.
)

// rules say who may do what with which table.
var rules = [intents][classes]cell{
	//         unknown perUser   stream    public    private   restricted dba       open      closed
	See:      {admins, users, users, everyone, services, services, admins, everyone, admins},
	Read:     {nobody, users, users, everyone, services, services, admins, everyone, admins},
	Serve:    {nobody, users, users, everyone, services, services, admins, everyone, everyone},
	Follow:   {nobody, users, users, everyone, services, services, admins, nobody, nobody},
	Insert:   {nobody, users, users, services, services, services, admins, nobody, nobody},
	Update:   {nobody, users, users, services, services, services, admins, nobody, nobody},
	Delete:   {nobody, users, users, services, services, services, admins, nobody, nobody},
	Truncate: {nobody, users, users, services, services, services, admins, nobody, nobody},
	WriteAs:  {nobody, users, users, nobody, nobody, nobody, nobody, nobody, nobody},
	Count:    {nobody, admins, admins, everyone, services, services, admins, nobody, nobody},
	Maintain: {nobody, services, services, services, services, services, admins, nobody, nobody},
	Create:   {nobody, svcOwner, svcOwner, services, services, services, services, nobody, nobody},
	Alter:    {nobody, svcOwner, svcOwner, services, services, services, admins, nobody, nobody},
	Drop:     {nobody, dbaOwner, dbaOwner, dbaOwner, dbaOwner, dbaOwner, dbaOwner, nobody, nobody},
	Share:    {nobody, nobody, nobody, dbaMaker, dbaMaker, dbaMaker, admins, nobody, nobody},
}

// Power is what a principal may do with the server, beside its tables.
type Power uint8

// The powers.
const (
	CreateNamespaces Power = iota
	AlterNamespaces
	DropNamespaces
	ManageUsers
	RunMaintenance // Of single tables.
	FlushAll
	CompactAll
	CheckStorages
	MakeBackups // Of everything, to where the server can write.
	ManageStorages
	KillJobs
	ClearCaches
	SeeJobs
	SeeStorages // Where they are, not only that they are.
	SeeLive     // Live queries of others.
	KillLive    // Likewise.
	SeeQueries  // Queries of others that are under way.
	KillQueries // Likewise.
	SeeFaults   // The causes of internal errors, and the text of the statements that failed.
	Inspect     // The build and the state of the server.
	Unlimited   // To create any number of tables.
	ExportData  // All rows of one's own.
	EndOwn      // Queries and live queries of one's own.
	SeeKeys     // API keys of other users.
	MintTokens  // For whom one may act for.
	// GrantOnNamespaces is to grant rights on all SHARED tables of a namespace, and to revoke them.
	GrantOnNamespaces
	powers
)

// powerRules say who has which power, and how the refusal goes on after "role user cannot".
var powerRules = [powers]struct {
	who   cell
	words string
	reads bool // It changes nothing, so that read-only credentials have it.
}{
	CreateNamespaces: {admins, "create namespaces", false},
	AlterNamespaces:  {admins, "alter namespaces", false},
	DropNamespaces:   {admins, "drop namespaces", false},
	ManageUsers:      {admins, "manage users", false},
	RunMaintenance:   {services, "run storage maintenance", false},
	FlushAll:         {admins, "flush all tables", false},
	CompactAll:       {admins, "compact all tables", false},
	CheckStorages:    {admins, "check storages", false},
	MakeBackups:      {admins, "make backups", false},
	ManageStorages:   {admins, "manage storages", false},
	KillJobs:         {admins, "kill jobs", false},
	ClearCaches:      {admins, "clear caches", false},
	SeeJobs:          {admins, "see jobs", true},
	SeeStorages:      {admins, "see storages", true},
	SeeLive:          {admins, "see live queries of other users", true},
	KillLive:         {admins, "end live queries of other users", false},
	SeeQueries:       {admins, "see queries of other users", true},
	KillQueries:      {admins, "end queries of other users", false},
	SeeFaults:        {admins, "see internal errors", true},
	Inspect:          {admins, "inspect the server", true},
	Unlimited:        {services, "create any number of tables", false},
	ExportData:       {users, "export data", true},
	EndOwn:           {users, "end queries", false},
	SeeKeys:          {admins, "see API keys of other users", true},
	MintTokens:       {services, "mint tokens", false},

	GrantOnNamespaces: {admins, "grant or revoke rights on namespaces", false},
}

// computedWrite is a statement that writes rows of a table of the namespace system.
type computedWrite struct {
	table kalam.TableName
	want  Intent
}

// computedWrites say which statements write rows of which computed tables, and the power that it takes.
var computedWrites = map[computedWrite]Power{
	{"users", Insert}:    ManageUsers,
	{"users", Update}:    ManageUsers,
	{"users", Delete}:    ManageUsers,
	{"storages", Delete}: ManageStorages,
}

// reach is the highest role of others that each role has power over, none for nobody.
type reach [kalam.RoleSystem + 1]kalam.Role

const (
	none kalam.Role = 0xff
	all  kalam.Role = 0xfe // Also roles that this version does not know.
)

var (
	// actsFor is whom a role may act for; everybody may for themselves.
	actsFor = reach{none, none, kalam.RoleService, kalam.RoleDBA, all}
	// manages is which users a role may create, change and drop, and which roles it may give. A dba has no power over a
	// user of role system: setting that user's password would be a way to become one.
	manages = reach{none, none, none, kalam.RoleDBA, all}
)

// covers reports whether a principal of role by has power over role.
func (r *reach) covers(by, role kalam.Role) bool {
	return int(by) < len(r) && r[by] != none && role <= r[by]
}

// allows reports whether the cell lets a role in; owner says that the table, or the place where it is to be, is the
// principal's own.
func (c cell) allows(role kalam.Role, owner bool) bool {
	if role > kalam.RoleSystem {
		return false
	}
	switch c {
	case everyone:
		return true
	case users:
		return role >= kalam.RoleUser
	case services:
		return role >= kalam.RoleService
	case admins:
		return role >= kalam.RoleDBA
	case svcOwner:
		return role >= kalam.RoleService || owner && role >= kalam.RoleUser
	case dbaOwner:
		return role >= kalam.RoleDBA || owner && role >= kalam.RoleUser
	case dbaMaker:
		return role >= kalam.RoleDBA || owner && role >= kalam.RoleService
	case nobody:
	}
	return false
}

// classOf returns the class of a table.
func classOf(kind kalam.TableKind, level kalam.AccessLevel) class {
	switch kind {
	case kalam.KindUserTable:
		return perUser
	case kalam.KindStreamTable:
		return stream
	case kalam.KindSharedTable:
		return sharedClass(level)
	case kalam.KindSystemTable:
		if level == kalam.AccessPublic {
			return open
		}
		return closed
	}
	return unknown
}

func sharedClass(level kalam.AccessLevel) class {
	switch level {
	case kalam.AccessPublic:
		return public
	case kalam.AccessPrivate:
		return private
	case kalam.AccessRestricted:
		return restricted
	case kalam.AccessDBA:
		return dba
	}
	return unknown
}

// String returns the verb: "insert".
func (i Intent) String() string { return intentWords[i] }
