package link

import "strings"

// readOnly reports whether sql surely does nothing but read, so that sending it
// twice does no harm: one statement that begins with a word of a query. A `;` or
// comment anywhere but at the end makes it false, which costs only the retry.
func readOnly(sql string) bool {
	sql = strings.TrimSpace(sql)
	sql = strings.TrimSpace(strings.TrimSuffix(sql, ";"))
	if strings.Contains(sql, ";") {
		return false
	}
	end := strings.IndexFunc(sql, func(r rune) bool { return !isWordRune(r) })
	if end < 0 {
		end = len(sql)
	}
	switch strings.ToUpper(sql[:end]) {
	case "SELECT", "SHOW", "DESCRIBE", "DESC", "VALUES", "FROM", "SUMMARIZE":
		return true
	}
	return false
}
