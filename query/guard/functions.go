package guard

import (
	_ "embed" // The list of functions.
	"maps"
	"slices"
	"strings"
)

// The functions that user SQL may call. Everything else is refused: what touches
// files, settings, the catalog, the environment, other statements or the state of
// the connection, and what only serves DuckDB itself. What makes gigabytes out of a
// short text is bounded, see checkAmplifier.

//go:embed functions.txt
var functionList string

// Function is a function of DuckDB.
type Function struct {
	Name string // In lower case.
	// Kind is what duckdb_functions() calls it: scalar, aggregate (window functions are some of them), macro, table,
	// table_macro or pragma; "syntax" for what only the parser gives.
	Kind    string
	Refused string // Why user SQL may not call it; "" when it may.
}

// Functions returns every function of DuckDB, as reviewed.
func Functions() []Function {
	var out []Function
	for line := range strings.Lines(functionList) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		text, why, _ := strings.Cut(line, ": ")
		kind, name, _ := strings.Cut(text, " ")
		out = append(out, Function{Name: name, Kind: kind, Refused: why})
	}
	return out
}

// namesOf returns the functions of the kinds, which have blanks between them, that user SQL may call.
func namesOf(kinds string) functionSet {
	set := functionSet{}
	for _, f := range Functions() {
		if f.Refused == "" && wordOf(kinds, f.Kind) {
			set[f.Name] = struct{}{}
		}
	}
	return set
}

// reducerMacros are macros over aggregates.
const reducerMacros = "json_group_array json_group_object json_group_structure geomean geometric_mean wavg weighted_avg"

// functionSet holds names in lower case.
type functionSet map[string]struct{}

func newFunctionSet(lists ...string) functionSet {
	set := functionSet{}
	for _, l := range lists {
		for _, name := range strings.Fields(l) {
			set[name] = struct{}{}
		}
	}
	return set
}

// list returns the names.
func (s functionSet) list() []string { return slices.Collect(maps.Keys(s)) }

func (s functionSet) has(name string) bool {
	_, ok := s[strings.ToLower(name)]
	return ok
}

// The sets are constants in all but name.
var (
	valueFunctions   = namesOf("syntax scalar macro aggregate")
	fromFunctions    = namesOf("table")
	reducerFunctions = newFunctionSet(reducerMacros, strings.Join(namesOf("aggregate").list(), " "))
	changingFuncs    = newFunctionSet("random gen_random_uuid uuid uuidv4 uuidv7 kalam_snowflake_id kalam_ulid error " +
		"unnest generate_subscripts regexp_split_to_table")
)

// lambdaFunctions take a function of list elements.
var lambdaFunctions = newFunctionSet(`
	apply array_apply array_filter array_reduce array_transform filter list_apply list_filter list_reduce
	list_transform reduce`)

// doublingMacros use an argument more than once.
var doublingMacros = newFunctionSet(`
	array_pop_back array_to_string array_to_string_comma_default fmod json_group_array json_group_object
	json_group_structure nullif round_even roundbankers split_part wavg weighted_avg`)

// allowedTypes are the ids of the types to which values may be cast.
var allowedTypes = newFunctionSet(`
	boolean tinyint smallint integer bigint hugeint utinyint usmallint uinteger ubigint uhugeint float double
	decimal varchar blob bit bignum date time time_ns timestamp timestamp_s timestamp_ms
	timestamp_ns interval uuid list array struct map union enum null`)

// namedTypes are the types that DuckDB's parser knows by name only.
var namedTypes = newFunctionSet("json enum")

// IsReducer reports whether a function makes one value of many rows.
func IsReducer(name string) bool { return reducerFunctions.has(name) }

// IsChanging reports whether a function gives other values when it is called again, or
// other numbers of rows.
func IsChanging(name string) bool { return changingFuncs.has(name) }

// wordOf reports whether w is one of words, which have a blank between them.
func wordOf(words, w string) bool {
	for len(words) > 0 {
		word, rest, _ := strings.Cut(words, " ")
		if word == w && w != "" {
			return true
		}
		words = rest
	}
	return false
}
