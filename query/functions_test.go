package query_test

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/kalamlake/kalam/query/guard"
)

// TestFunctions compares the reviewed list of functions with DuckDB's: every function is
// either allowed or refused with a reason. What is refused is so in all the places where
// a function can stand.
func TestFunctions(t *testing.T) {
	e := newEngine(t)
	reviewed := map[string]guard.Function{}
	allowed, inFrom := map[string]bool{}, map[string]bool{}
	for _, f := range guard.Functions() {
		key := f.Kind + " " + f.Name
		if _, twice := reviewed[key]; twice {
			t.Errorf("%s is listed twice", key)
		}
		reviewed[key] = f
		if f.Refused == "" {
			allowed[f.Name] = allowed[f.Name] || f.Kind != "table"
			inFrom[f.Name] = inFrom[f.Name] || f.Kind == "table"
		}
	}
	cases := 0
	for _, f := range engineFunctions(t, plainDuckDB(t)) {
		key := f.kind + " " + f.name
		review, ok := reviewed[key]
		if !ok {
			t.Errorf("DuckDB has %s, which nobody has reviewed: add it to query/guard/functions.txt", key)
			continue
		}
		delete(reviewed, key)
		fromOnly := f.kind == "table" || f.kind == "table_macro" || f.kind == "pragma"
		if review.Refused == "" || !isName(f.name) || !fromOnly && guard.IsServerFunction(f.name) ||
			!fromOnly && allowed[f.name] {
			continue
		}
		for _, form := range forms(f.name, fromOnly) {
			if !strings.Contains(form, "FROM") && (allowed[f.name] || guard.IsServerFunction(f.name)) {
				continue // The function of values of that name.
			}
			cases++
			checkRefused(t, e, form)
		}
	}
	for key, f := range reviewed {
		if f.Kind != "syntax" {
			t.Errorf("%s is reviewed but DuckDB does not have it", key)
		}
	}
	t.Logf("%d statements are refused", cases)
}

// engineFunction is a function of DuckDB with the types of its arguments, of each of its
// forms.
type engineFunction struct {
	name, kind string
	forms      [][]string
}

// engineFunctions returns the functions of DuckDB.
func engineFunctions(t testing.TB, db *sql.DB) []engineFunction {
	t.Helper()
	rows, err := db.Query("SELECT lower(function_name), function_type, " +
		"string_agg(DISTINCT coalesce(array_to_string(parameter_types, ';'), repeat('ANY;', len(parameters))), '#') " +
		"FROM duckdb_functions() GROUP BY ALL ORDER BY ALL")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out []engineFunction
	for rows.Next() {
		var f engineFunction
		var types sql.NullString
		if err := rows.Scan(&f.name, &f.kind, &types); err != nil {
			t.Fatal(err)
		}
		for _, form := range strings.Split(types.String, "#") {
			f.forms = append(f.forms, strings.FieldsFunc(form, func(r rune) bool { return r == ';' }))
		}
		out = append(out, f)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestEveryFunctionRuns calls every function that is allowed, in the executors.
func TestEveryFunctionRuns(t *testing.T) {
	e := newEngine(t)
	forms := map[string][][]string{}
	for _, f := range engineFunctions(t, plainDuckDB(t)) {
		forms[f.kind+" "+f.name] = f.forms
	}
	ran := 0
	for _, f := range guard.Functions() {
		if f.Refused != "" {
			continue
		}
		texts := callsOf(f, forms[f.Kind+" "+f.Name])
		var failures []string
		for _, text := range texts {
			if _, err := e.text(t.Context(), text, testArgs(), nil); err != nil {
				failures = append(failures, fmt.Sprintf("%s: %v", text, err))
				continue
			}
			failures = nil
			ran++
			break
		}
		if failures != nil {
			t.Errorf("%s %s: no call of it runs:\n%s", f.Kind, f.Name, strings.Join(failures, "\n"))
		}
	}
	t.Logf("%d functions run", ran)
}

// callsOf returns statements that call f, one of which is to succeed.
func callsOf(f guard.Function, forms [][]string) []string {
	if text, ok := exampleCalls[f.Name]; ok {
		return []string{"SELECT " + text + " AS x"}
	}
	var out []string
	for n := range len(forms) * len(anything) {
		form := forms[n/len(anything)]
		args := make([]string, len(form))
		for i, typ := range form {
			args[i] = exampleValue(typ, anything[n%len(anything)])
		}
		list := strings.Join(args, ", ")
		switch {
		case f.Kind == "table":
			out = append(out, "SELECT * FROM "+f.Name+"("+list+") LIMIT 3")
		case isName(f.Name):
			out = append(out, "SELECT "+f.Name+"("+list+") AS x", "SELECT "+f.Name+"("+list+") OVER () AS x")
		case len(args) == 2:
			out = append(out, "SELECT "+args[0]+" "+f.Name+" "+args[1]+" AS x")
		default:
			out = append(out, "SELECT "+f.Name+" "+list+" AS x")
		}
	}
	return out
}

// anything are the values of arguments whose type is not told.
var anything = []string{"1", "[1, 2]", "'a'", "MAP {'a': 1}", "['a']", "[true]", "DATE '2025-01-02'"}

// exampleValue is a value of a type of an argument, other of any other type.
func exampleValue(typ, other string) string {
	if text, ok := exampleValues[typ]; ok {
		return text
	}
	if inner, ok := strings.CutSuffix(typ, "[]"); ok {
		return "[" + exampleValue(inner, "1") + "]"
	}
	return other
}

var exampleValues = map[string]string{
	"VARCHAR": "'1'", "BLOB": "encode('a')", "BOOLEAN": "true", "DATE": "DATE '2025-01-02'", "TIME": "TIME '01:02:03'",
	"TIMESTAMP": "TIMESTAMP '2025-01-02 03:04:05'", "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ '2025-01-02 03:04:05'",
	"TIME WITH TIME ZONE": "'01:02:03+01'::TIMETZ", "TIMESTAMP_NS": "'2025-01-02'::TIMESTAMP_NS",
	"TIMESTAMP_MS": "'2025-01-02'::TIMESTAMP_MS", "TIMESTAMP_S": "'2025-01-02'::TIMESTAMP_S",
	"TIME_NS":  "'01:02:03'::TIME_NS",
	"INTERVAL": "INTERVAL 1 DAY", "JSON": "'[1]'::JSON", "BIT": "'101'::BIT", "UUID": "uuid()", "MAP": "MAP {'a': 1}",
	"STRUCT": "{'a': 1}", "LIST": "[1, 2]", "LAMBDA": "lambda x: x", "DOUBLE": "0.5::DOUBLE", "FLOAT": "0.5::FLOAT",
	"DECIMAL": "1.5", "BIGNUM": "1::BIGNUM", "UNION": "union_value(a := 1)", "ANY[]": "[1, 2]", "T[]": "[1, 2]",
}

// exampleCalls are calls of functions whose arguments the types do not tell.
var exampleCalls = map[string]string{
	"!__postfix":                    "3!",
	"->":                            "'[1]'::JSON -> 0",
	"aggregate":                     "aggregate([1, 2], 'sum')",
	"array_aggr":                    "array_aggr([1, 2], 'sum')",
	"array_aggregate":               "array_aggregate([1, 2], 'sum')",
	"array_append":                  "array_append([1], 2)",
	"array_cosine_distance":         "array_cosine_distance(array_value(1e0, 2e0), array_value(3e0, 4e0))",
	"array_cosine_similarity":       "array_cosine_similarity(array_value(1e0, 2e0), array_value(3e0, 4e0))",
	"array_cross_product":           "array_cross_product(array_value(1e0, 2e0, 3e0), array_value(3e0, 4e0, 5e0))",
	"array_distance":                "array_distance(array_value(1e0, 2e0), array_value(3e0, 4e0))",
	"array_dot_product":             "array_dot_product(array_value(1e0, 2e0), array_value(3e0, 4e0))",
	"array_inner_product":           "array_inner_product(array_value(1e0, 2e0), array_value(3e0, 4e0))",
	"array_negative_dot_product":    "array_negative_dot_product(array_value(1e0, 2e0), array_value(3e0, 4e0))",
	"array_negative_inner_product":  "array_negative_inner_product(array_value(1e0, 2e0), array_value(3e0, 4e0))",
	"array_prepend":                 "array_prepend(1, [2])",
	"array_push_back":               "array_push_back([1], 2)",
	"array_push_front":              "array_push_front([1], 2)",
	"array_reduce":                  "array_reduce([1, 2], lambda a, b: a + b)",
	"array_slice":                   "array_slice([1, 2], 1, 1)",
	"array_to_json":                 "array_to_json([1])",
	"array_to_string":               "array_to_string(['a'], ',')",
	"array_to_string_comma_default": "array_to_string_comma_default(['a'], ',')",
	"array_value":                   "array_value(1, 2)",
	"array_zip":                     "array_zip([1], [2])",
	"cast_to_type":                  "cast_to_type('1', 2)",
	"create_sort_key":               "create_sort_key(1, 'ASC NULLS LAST')",
	"date_diff":                     "date_diff('day', DATE '2025-01-02', DATE '2025-01-03')",
	"date_part":                     "date_part('day', DATE '2025-01-02')",
	"date_sub":                      "date_sub('day', DATE '2025-01-02', DATE '2025-01-03')",
	"date_trunc":                    "date_trunc('day', DATE '2025-01-02')",
	"datediff":                      "datediff('day', DATE '2025-01-02', DATE '2025-01-03')",
	"datepart":                      "datepart('day', DATE '2025-01-02')",
	"datesub":                       "datesub('day', DATE '2025-01-02', DATE '2025-01-03')",
	"datetrunc":                     "datetrunc('day', DATE '2025-01-02')",
	"element_at":                    "element_at(MAP {'a': 1}, 'a')",
	"enum_code":                     "enum_code('a'::ENUM('a', 'b'))",
	"enum_first":                    "enum_first('a'::ENUM('a', 'b'))",
	"enum_last":                     "enum_last('a'::ENUM('a', 'b'))",
	"enum_range":                    "enum_range('a'::ENUM('a', 'b'))",
	"enum_range_boundary":           "enum_range_boundary('a'::ENUM('a', 'b'), 'b'::ENUM('a', 'b'))",
	"error":                         "CASE WHEN 1 > 2 THEN error('never') END",
	"fill":                          "fill(1) OVER (ORDER BY 1)",
	"from_base64":                   "from_base64('YQ==')",
	"from_json":                     "from_json('[1]', '[\"INT\"]')",
	"from_json_strict":              "from_json_strict('[1]', '[\"INT\"]')",
	"generate_subscripts":           "generate_subscripts([1, 2], 1)",
	"ilike_escape":                  "ilike_escape('a', 'a', '!')",
	"json_quote":                    "json_quote(1)",
	"json_transform":                "json_transform('[1]', '[\"INT\"]')",
	"json_transform_strict":         "json_transform_strict('[1]', '[\"INT\"]')",
	"like_escape":                   "like_escape('a', 'a', '!')",
	"list_aggr":                     "list_aggr([1], 'sum')",
	"list_aggregate":                "list_aggregate([1], 'sum')",
	"list_append":                   "list_append([1], 2)",
	"list_prepend":                  "list_prepend(1, [2])",
	"list_reduce":                   "list_reduce([1, 2], lambda a, b: a + b)",
	"list_slice":                    "list_slice([1, 2], 1, 1)",
	"list_zip":                      "list_zip([1], [2])",
	"map_concat":                    "map_concat(MAP {'a': 1}, MAP {'b': 2})",
	"map_contains":                  "map_contains(MAP {'a': 1}, 'a')",
	"map_contains_entry":            "map_contains_entry(MAP {'a': 1}, 'a', 1)",
	"map_contains_value":            "map_contains_value(MAP {'a': 1}, 1)",
	"map_extract":                   "map_extract(MAP {'a': 1}, 'a')",
	"map_extract_value":             "map_extract_value(MAP {'a': 1}, 'a')",
	"map_from_entries":              "map_from_entries([('a', 1)])",
	"not_ilike_escape":              "not_ilike_escape('a', 'a', '!')",
	"not_like_escape":               "not_like_escape('a', 'a', '!')",
	"parse_formatted_bytes":         "parse_formatted_bytes('1 KB')",
	"position":                      "position('a' IN 'b')",
	"reduce":                        "reduce([1, 2], lambda a, b: a + b)",
	"replace_type":                  "replace_type(1, NULL::INT, NULL::BIGINT)",
	"row":                           "row(1, 2)",
	"row_to_json":                   "row_to_json({'a': 1})",
	"split_part":                    "split_part('a,b', ',', 1)",
	"st_asbinary":                   "st_asbinary(st_geomfromwkb(unhex('0101000000000000000000F03F0000000000000040')))",
	"st_astext":                     "st_astext(st_geomfromwkb(unhex('0101000000000000000000F03F0000000000000040')))",
	"st_aswkb":                      "st_aswkb(st_geomfromwkb(unhex('0101000000000000000000F03F0000000000000040')))",
	"st_aswkt":                      "st_aswkt(st_geomfromwkb(unhex('0101000000000000000000F03F0000000000000040')))",
	"st_geomfromwkb":                "st_astext(st_geomfromwkb(unhex('0101000000000000000000F03F0000000000000040')))",
	"st_intersects_extent": "st_intersects_extent(st_geomfromwkb(unhex('0101000000000000000000F03F0000000000000040')), " +
		"st_geomfromwkb(unhex('0101000000000000000000F03F0000000000000040')))",
	"struct_concat":          "struct_concat({'a': 1}, {'b': 2})",
	"struct_contains":        "struct_contains(row(1, 2), 1)",
	"struct_extract":         "struct_extract({'a': 1}, 'a')",
	"struct_has":             "struct_has(row(1, 2), 1)",
	"struct_indexof":         "struct_indexof(row(1, 2), 1)",
	"struct_insert":          "struct_insert({'a': 1}, b := 2)",
	"struct_keys":            "struct_keys({'a': 1})",
	"struct_pack":            "struct_pack(a := 1)",
	"struct_position":        "struct_position(row(1, 2), 1)",
	"struct_update":          "struct_update({'a': 1}, a := 2)",
	"switch":                 "switch(1, MAP {1: 'a'})",
	"to_base":                "to_base(10, 2)",
	"to_json":                "to_json(1)",
	"union_extract":          "union_extract(union_value(a := 1), 'a')",
	"union_value":            "union_value(a := 1)",
	"uuid_extract_timestamp": "uuid_extract_timestamp(uuidv7())",
}

func isName(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_0123456789") == ""
}

// forms are statements that call a function.
func forms(name string, inFrom bool) []string {
	calls := []string{
		name + "('/etc/passwd')",
		`"` + name + `"()`,
		"system.main." + name + "('x', 1)",
		strings.ToUpper(name) + "(['a'], b := 1)",
	}
	shapes := []string{
		"SELECT %s",
		"SELECT 1 FROM t WHERE %s",
		"SELECT sum(1) OVER (ORDER BY %s)",
		"SELECT * FROM t ORDER BY %s LIMIT 1",
	}
	if inFrom {
		shapes = []string{
			"SELECT * FROM %s",
			"SELECT 1 FROM t, LATERAL %s",
			"WITH c AS (FROM %s) SELECT 1",
			"SELECT (SELECT 1 FROM %s)",
			"SELECT %s",
			"FROM %s AS x(a) UNION ALL SELECT 1",
		}
	}
	var out []string
	for _, c := range calls {
		for _, s := range shapes {
			out = append(out, fmt.Sprintf(s, c))
		}
	}
	return out
}
