// Command kalam is the shell of kalam: it runs SQL from its command line, a
// file, a pipe or a prompt.
//
//	kalam -c "SELECT 1"                     one request, results as a table
//	kalam --json -f script.sql              a script, results as JSON
//	kalam --subscribe "SELECT * FROM ns.t"  a live query
//	kalam                                   a prompt
//
// docs/quickstart/cli-usage.md describes it.
package main
