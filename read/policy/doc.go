// Package policy turns the conditions of row policies into what applies them: a text for DuckDB, and a function over
// the values of a row. Both say the same, because conditions are of the kind that package subscribe decides exactly
// like DuckDB: columns, constants, comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, CASE, CURRENT_USER() and
// CURRENT_ROLE(). So a condition fails on no row, has no side effect and gives the same answer each time, wherever it
// is asked.
//
// Which policies are for whom is for package access; where rules are applied for packages read, session and live.
package policy
