// Package views puts the queries of views into the texts that name them.
//
// # Basics
//
// Edits finds the names of views among the tables of a query and says by what they are replaced: the query of the
// view, in parentheses, under the name that it had. Prepare checks the query of a new view and makes of it what the
// catalog keeps. Visible says whether a principal may know of a view.
//
// # Guarantees
//
//   - A view has no rights of its own. Its query becomes part of the reader's, so that each table in it is resolved and
//     authorised for the reader: a view over a USER table gives each reader their own rows.
//   - Who may not read one of its tables is answered as if there were no such view.
//   - Every name in a stored query has its namespace: what a view reads does not depend on who reads it, from where,
//     and with which WITH names. It gives the columns that it had when it was created, by their names.
//
// # Caveats
//
// A view is text: it is computed by each query that names it, and indexes by key do not serve it.
package views
