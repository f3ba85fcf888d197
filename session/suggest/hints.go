package suggest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/sqltext"
)

// rule is what to do about a mistake that can be told from the message and the text of the statement.
type rule struct {
	message string         // Is in the message.
	here    *regexp.Regexp // Fits the statement from the place of the error on; nil for any.
	before  *regexp.Regexp // Fits it up to there; nil for any.
	hint    string
	foreign bool // A word of another database, which is nothing mistyped.
}

// maxHinted is how much of a statement is looked at for a hint, on either side of the place.
const maxHinted = 1 << 10

func begins(pattern string) *regexp.Regexp { return regexp.MustCompile(`(?is)^` + pattern) }
func ends(pattern string) *regexp.Regexp   { return regexp.MustCompile(`(?is)` + pattern + `$`) }

// loads is what to do to get at files.
const loads = `files are loaded by the shell: kalam load, \copy`

// rules are tried in order. Hints say nothing that the user has not written.
var rules = []rule{
	{message: "Unsupported statement type", here: begins(`(create|drop|alter)\s+(database|schema)\b`), foreign: true,
		hint: "tables are in namespaces: CREATE NAMESPACE name"},
	{message: "Unsupported statement type", here: begins(`(create|drop)\s+(unique\s+)?index\b`), foreign: true,
		hint: "rows are found by the PRIMARY KEY, and files are skipped by the values in them; there are no further indexes"},
	{message: "Unsupported statement type", here: begins(`merge\b`), foreign: true,
		hint: "INSERT INTO .. ON CONFLICT (key) DO UPDATE SET .. inserts or changes rows"},
	{message: "Unsupported statement type", here: begins(`(vacuum|optimize|analyze|reindex|checkpoint)\b`), foreign: true,
		hint: "files are merged by STORAGE COMPACT TABLE name, and by jobs without being asked"},
	{message: "Unsupported statement type", here: begins(`(copy|import|load)\b`), foreign: true,
		hint: `files are loaded and written by the shell: kalam load, kalam dump, \copy`},
	{message: "Unsupported statement type", here: begins(`(attach|detach|install)\b`), foreign: true,
		hint: "a statement sees the tables of this server alone"},
	{message: "Unsupported statement type", here: begins(`pragma\b`), foreign: true,
		hint: "DESCRIBE name shows the columns of a table, SHOW ALL the settings"},
	{
		message: "Unsupported statement type",
		here:    begins(`(savepoint|lock|declare|fetch|listen|notify|call|do)\b`),
		foreign: true,
		hint:    "kalam has no such statement",
	},
	{message: "Unsupported statement type",
		hint: "statements begin with a word such as SELECT, INSERT, UPDATE, DELETE, CREATE or SHOW"},
	{message: "expected a statement", here: begins(`\\`),
		hint: "commands that begin with a backslash are those of the shell"},
	{message: "expected a statement", here: begins(`\{`),
		hint: `a request has its statement in "sql"; the statement itself is no JSON`},

	{message: "does not exist", here: begins(`"`),
		hint: "double quotes stand around names; a text stands in single quotes: 'text'"},
	{message: "Function '==", hint: "values are compared with ="},
	{message: "unction 'read_", hint: loads},
	{message: "No function matches",
		hint: "the function takes other arguments; CAST(x AS TEXT) changes the type of one"},
	{message: "cannot contain aggregates",
		hint: "conditions of aggregates stand behind GROUP BY: HAVING count(*) > 1"},
	{message: "Ambiguous reference", hint: "write the table or its alias before the column"},
	{message: "same number of result columns", hint: "name the same columns in the same order on both sides"},
	{message: "selection list", hint: "name columns behind SELECT, or * for all"},
	{message: "placeholders but", hint: `the values of $1, $2, ... are the "params" of the request`},
	{message: "no table or alias", hint: "where FROM gives a table an alias, its columns are alias.column"},
	{message: "Unimplemented type for cast", hint: "the two types cannot be compared; brackets make a list"},

	{message: "yntax error", here: begins(`[:}]`), hint: "placeholders are $1, $2, ..."},
	{message: "yntax error", here: begins(`%`), hint: "a pattern stands in single quotes: LIKE '%x%'"},
	{message: "yntax error", before: ends(`\bselect\s+top\s+`), hint: "LIMIT 5 at the end gives the first 5 rows"},
	{message: "yntax error", before: ends(`\bin\s+`), hint: "the values of IN stand in parentheses: IN (1, 2)"},
	{message: "yntax error", before: ends(`\bbetween\s+\S+\s*`), hint: "BETWEEN takes two bounds: BETWEEN 1 AND 9"},
	{message: "yntax error", before: ends(`\border\s+`), hint: "it is ORDER BY"},
	{message: "yntax error", before: ends(`\bgroup\s+`), hint: "it is GROUP BY"},
	{message: "yntax error", before: ends(`\bfrom\s*`), hint: "name a table behind FROM"},
	{message: "yntax error", before: ends(`\bselect\s+\*\s+\w+`), hint: "FROM stands before the table"},
	{message: "yntax error", before: ends(`\bjoin\s+[\w.]+(\s+\w+)?\s*`),
		hint: "a JOIN has a condition: JOIN b ON b.id = a.id, or USING (id)"},
	{message: "yntax error", before: ends(`(\b(and|or|not|where)|[=<>])\s*`),
		hint: "a condition is missing at the end"},
	{message: "expected FROM", here: begins(`\*`), hint: "rows are deleted whole: DELETE FROM t WHERE .."},

	{message: "NOT NULL constraint", hint: "give the column a value, or the table a DEFAULT for it"},
	{message: "Primary key violation",
		hint: "UPDATE changes the row; INSERT .. ON CONFLICT (key) DO UPDATE SET .. inserts or changes it"},
	{message: "values for", before: ends(`\binsert\s+into\s+[\w."]+\s+values\s*\(?`),
		hint: "name the columns that get values: INSERT INTO t (a, b) VALUES (1, 2)"},
	{message: "values for", hint: "a row has one value for each column that is named"},
	{message: "requires a WHERE clause", hint: "WHERE true takes all rows"},
	{message: "Invalid JSON value", hint: `names and texts stand in double quotes: {"a": "text"}`},
	{message: "cannot be updated", hint: "insert a row with the new key, and delete the old one"},
	{message: "require a PRIMARY KEY", hint: "id BIGINT PRIMARY KEY DEFAULT SNOWFLAKE_ID() numbers the rows"},
	{message: "is a view", hint: "write to the tables that it is made of"},
	{message: "expected TIMESTAMP", hint: "a time is written as '2026-01-31 12:34:56'"},
	{message: "expected DATE", hint: "a date is written as '2026-01-31'"},
	{message: "expected BOOLEAN", hint: "it is TRUE or FALSE"},
	{message: "out of range for column", hint: "the type of the column has no room for it"},
	{message: "DDL is not allowed", hint: "tables are made and changed outside of transactions"},
	{message: "COMMIT without", hint: "a transaction lives inside one request: BEGIN; ..; COMMIT"},
}

// hint returns the rule for an error of a statement, nil if there is none.
func hint(e *kalam.Error, text string) *rule {
	place := min(max(e.Position-1, 0), len(text))
	if e.Position == 0 {
		place = len(text)
	}
	here, before := text[place:min(place+maxHinted, len(text))], text[max(place-maxHinted, 0):place]
	for i := range rules {
		r := &rules[i]
		if strings.Contains(e.Msg, r.message) && (r.here == nil || r.here.MatchString(here)) &&
			(r.before == nil || r.before.MatchString(before)) {
			return r
		}
	}
	return nil
}

// hintOf returns what to do about an error whose message does not say it.
func (a Author) hintOf(e *kalam.Error, text string) string {
	if e.Missing == kalam.MissingTable {
		return a.tableHint(e)
	}
	if r := hint(e, text); r != nil {
		if e.Missing == kalam.MissingWord && len(e.Suggestions) > 0 {
			return "" // That says it.
		}
		return r.hint
	}
	if strings.Contains(e.Msg, "already exists") && creates.MatchString(text) {
		return "IF NOT EXISTS leaves it as it is"
	}
	if e.Missing == kalam.MissingColumn && len(e.Suggestions) == 0 && e.Position > 0 && e.Position <= len(text) &&
		compared.MatchString(text[max(e.Position-1-maxHinted, 0):e.Position-1]) {
		return "a text stands in single quotes: 'text'"
	}
	return ""
}

// creates is how a statement begins that may say IF NOT EXISTS.
var creates = begins(`\s*create\b`)

// compared is what stands before a value.
var compared = ends(`([=<>(,]|\blike)\s*`)

// tableHint says of a table that is not there which namespace is to blame, of what the author may know of.
func (a Author) tableHint(e *kalam.Error) string {
	ns, name, dotted := strings.Cut(e.Name, ".")
	switch {
	case !dotted:
		return ""
	case strings.ContainsAny(name, "/.*"):
		return loads
	case ns == string(a.Namespace) && !slices.ContainsFunc(e.Suggestions, func(s string) bool {
		return !strings.Contains(s, ".")
	}):
		return "names without a namespace are those of " + ns + "; write one before the name, or USE one"
	case !slices.Contains(a.namespaces(), ns) && ns != systemNamespace:
		return "you have no namespace " + sqltext.Short(ns)
	}
	return ""
}

// systemNamespace holds the tables of the system.
const systemNamespace = "system"
