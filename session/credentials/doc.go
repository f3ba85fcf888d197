// Package credentials carries out the statements on API keys, tokens and rights. It knows no session: callers answer
// with what it returns. The text of a new key is in the answer alone; it goes to no log, job or table.
package credentials
