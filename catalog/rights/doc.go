// Package rights is the state of what was granted: who may do what with which SHARED table beyond what its access level
// gives. It decides nothing, which is for package access, and stores nothing, which is for package catalog.
//
// # Basics
//
//   - A Grant gives Privileges on an Object, a table or all tables of a namespace, to a Grantee, a user or a role.
//   - A Policy says which rows of a table a command is for.
//   - A Set is all of them at one time. It is immutable; Begin returns an Edit that leads to the next.
//
// # Guarantees
//
//   - A grant of a table is one of its number: it follows a rename, and no later table of the same name has it.
//   - An Edit changes nothing that a reader of the Set before sees, and lists the records that make it durable.
package rights
