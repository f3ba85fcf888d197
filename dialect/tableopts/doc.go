// Package tableopts reads the values of table options: it knows the bounds of each, and refuses an option that is given
// twice with different values. Which words name an option, and where options stand, is for package dialect.
package tableopts
