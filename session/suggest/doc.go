// Package suggest finds the names that were probably meant where a statement has one that means nothing.
//
// A suggestion is made of what the principal may know of: the tables, views and namespaces that package access lists
// for it, the columns of such tables that the statement names, functions that user SQL may call, types, and words of
// the grammar. How near a name is, is the distance of [internal/nearest].
package suggest
