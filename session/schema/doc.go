// Package schema makes definitions of tables from statements.
//
// # Basics
//
// An Alteration is what ALTER TABLE makes of the newest version of a table: the next version, and the Rule that rows
// which are there must meet. KeyOfResults chooses the key of CREATE TABLE ... AS. CreateText is the way back, from a
// table to its statement. What rows and columns of a statement must meet for the definition of their table is here,
// too.
//
// # Guarantees
//
//   - No version that exists is changed: a definition is a copy until the catalog stores it.
//   - Nothing is stored, and no row is read.
package schema
