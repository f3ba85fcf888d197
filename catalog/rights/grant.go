package rights

import (
	"fmt"
	"strings"
	"time"

	"github.com/kalamlake/kalam"
)

// Privileges are a set of what may be done with the rows of a table.
type Privileges uint8

// The privileges.
const (
	Select Privileges = 1 << iota
	Insert
	Update
	Delete
	All = Select | Insert | Update | Delete
)

// words are the privileges as statements call them, by their bit.
var words = [...]string{"SELECT", "INSERT", "UPDATE", "DELETE"}

// String returns the words, in a fixed order: "SELECT, UPDATE".
func (p Privileges) String() string {
	var out []string
	for i, w := range words {
		if p&(1<<i) != 0 {
			out = append(out, w)
		}
	}
	return strings.Join(out, ", ")
}

// ParsePrivileges reads what String wrote. An error is CodeInvalidInput.
func ParsePrivileges(text string) (Privileges, error) {
	var p Privileges
	for i, w := range words {
		if strings.Contains(text, w) {
			p |= 1 << i
		}
	}
	if p == 0 || p.String() != text {
		return 0, kalam.Errorf(kalam.CodeInvalidInput, "'%.64s' are no privileges", text)
	}
	return p, nil
}

// Object is what rights are given on: a table by its number, or else a namespace with all its tables.
type Object struct {
	Table     kalam.TableNumber // 0: the namespace.
	Namespace kalam.NamespaceID // "": the table.
}

func (o Object) key() string {
	if o.Table != 0 {
		return fmt.Sprintf("table/%016x/", uint64(o.Table))
	}
	return "namespace/" + string(o.Namespace) + "/"
}

// Grantee is who has rights: a user, or else everybody of a role and of those above it.
type Grantee struct {
	User kalam.UserID // "": the role.
	Role kalam.Role
}

// String returns "user alice" or "role service".
func (g Grantee) String() string { return g.Kind() + " " + g.Name() }

// Kind returns "user" or "role".
func (g Grantee) Kind() string {
	if g.User != "" {
		return "user"
	}
	return "role"
}

// Name returns the name of the user or role.
func (g Grantee) Name() string {
	if g.User != "" {
		return string(g.User)
	}
	return g.Role.String()
}

// Covers reports whether a principal is, or is among, the grantee. Anonymous never is, nor is a role that this version
// does not know.
func (g Grantee) Covers(user kalam.UserID, role kalam.Role) bool {
	if role < kalam.RoleUser || role > kalam.RoleSystem {
		return false
	}
	if g.User != "" {
		return g.User == user
	}
	return role >= g.Role
}

// Grant is what one grantee has on one object.
type Grant struct {
	Object
	Grantee
	Privileges Privileges   // Never none.
	By         kalam.UserID // Who granted last.
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// grantKey finds a grant.
type grantKey struct {
	object  Object
	grantee Grantee
}

func (g *Grant) id() grantKey { return grantKey{g.Object, g.Grantee} }

// The prefixes of the keys of records.
const (
	GrantPrefix  = "grant/"
	PolicyPrefix = "policy/"
)

// key is the key of the grant's record.
func (k grantKey) key() string {
	return GrantPrefix + k.object.key() + k.grantee.Kind() + "/" + k.grantee.Name()
}

// GrantRecord is the stored form of a Grant.
type GrantRecord struct {
	Table      kalam.TableNumber `json:"table,omitempty"`
	Namespace  kalam.NamespaceID `json:"namespace,omitempty"`
	User       kalam.UserID      `json:"user,omitempty"`
	Role       string            `json:"role,omitempty"`
	Privileges string            `json:"privileges"`
	By         kalam.UserID      `json:"granted_by"`
	CreatedAt  time.Time         `json:"created_at"`
	UpdatedAt  time.Time         `json:"updated_at"`
}

func (g *Grant) record() GrantRecord {
	r := GrantRecord{
		Table: g.Table, Namespace: g.Namespace, User: g.User, Privileges: g.Privileges.String(), By: g.By,
		CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt,
	}
	if g.User == "" {
		r.Role = g.Role.String()
	}
	return r
}

// grant is the opposite of Grant.record. What an object, a grantee or privileges cannot be is an error.
func (r *GrantRecord) grant() (*Grant, error) {
	g := &Grant{
		Object:  Object{Table: r.Table, Namespace: r.Namespace},
		Grantee: Grantee{User: r.User}, By: r.By, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	if (r.Table == 0) == (r.Namespace == "") || (r.User == "") == (r.Role == "") {
		return nil, kalam.Errorf(kalam.CodeInvalidInput, "it names no object, or no grantee, or two")
	}
	var err error
	if r.Role != "" {
		if g.Role, err = kalam.ParseRole(r.Role); err != nil {
			return nil, err
		}
		if g.Role != kalam.RoleUser && g.Role != kalam.RoleService {
			return nil, kalam.Errorf(kalam.CodeInvalidInput, "role %s takes no grants", g.Role)
		}
	}
	g.Privileges, err = ParsePrivileges(r.Privileges)
	return g, err
}
