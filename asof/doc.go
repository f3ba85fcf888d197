// Package asof finds, in the text of a query, tables that are to be read as they were:
//
//	t AT (SEQ => n)   t AT (TIMESTAMP => 'when')
//
// It knows text only: Find tells what stands where, Clause.Query writes the query that takes its place. What is read
// of a table then, and whether its history is kept, is the business of package read.
package asof
