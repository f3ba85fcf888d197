package kalam

import "fmt"

// Role ranks what a principal may do. Higher roles include no rights on other
// users' rows: those are reached only by acting for the user. What each role may do is in
// package access.
type Role uint8

// The roles, in rising order.
const (
	RoleAnonymous Role = iota
	RoleUser
	RoleService
	RoleDBA
	RoleSystem
)

var roleNames = [...]string{"anonymous", "user", "service", "dba", "system"}

// String returns the lower-case name used on the wire and in system.users.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// ParseRole returns the role named s (lower case), or one of its aliases:
// admin (dba), developer and analyst (service), viewer and readonly (user).
func ParseRole(s string) (Role, error) {
	switch s {
	case "user", "viewer", "readonly":
		return RoleUser, nil
	case "service", "developer", "analyst":
		return RoleService, nil
	case "dba", "admin":
		return RoleDBA, nil
	case "system":
		return RoleSystem, nil
	case "anonymous":
		return RoleAnonymous, nil
	}
	return 0, Errorf(CodeInvalidInput, "unknown role '%s' (expected user, service, dba or system)", s)
}

// Principal is who acts: the effective user, the role in force, and what the
// credentials allow less than the role. It travels as an argument, and every
// cache of user data is keyed by it.
type Principal struct {
	User        UserID
	Role        Role
	Restriction Restriction
}
