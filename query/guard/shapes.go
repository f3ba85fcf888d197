package guard

import "github.com/kalamlake/kalam/query/tree"

// The guard walks the tree of a statement and refuses everything that is not
// explicitly allowed: each kind of node has a shape, which lists the fields it
// may have and what they hold. A field or node that is not listed is refused,
// even if a later DuckDB invents it.

// fieldKind says what a field of a node holds.
type fieldKind uint8

const (
	fPlain     fieldKind = iota // Texts, numbers and objects without nodes.
	fNone                       // Nothing: a value means a construct that is not allowed.
	fExpr                       // An expression.
	fExprs                      // A list of them.
	fExprLists                  // A list of those.
	fFilter                     // An expression that selects rows.
	fRef                        // A table reference.
	fQuery                      // A query node.
	fStatement                  // {node: a query node}
	fModifiers                  // ORDER BY, LIMIT and DISTINCT of a query.
	fOrderBy                    // ORDER BY of a function: one modifier.
	fOrders                     // A list of sort keys.
	fType                       // A type.
	fTypes                      // A list of types.
	fChecks                     // The branches of a CASE.
	fReplace                    // The REPLACE list of a star.
	fPivots                     // The ON list of PIVOT.
)

// fieldKinds are fields with their kinds.
type fieldKinds map[string]fieldKind

// shape is what a kind of node may have.
type shape struct {
	kinds fieldKinds
	order []string // The fields, in the order in which they are walked.
}

// shapesOf returns the shapes of kinds of nodes, which are tables of constants.
func shapesOf(tables map[string]fieldKinds) map[string]shape {
	out := make(map[string]shape, len(tables))
	for name, kinds := range tables {
		s := shape{kinds: kinds}
		for _, field := range tree.FieldOrder {
			if _, ok := kinds[field]; ok {
				s.order = append(s.order, field)
			}
		}
		out[name] = s
	}
	return out
}

// exprShapes has the fields of expressions by class, beside class, type, alias
// and query_location.
var exprShapes = shapesOf(map[string]fieldKinds{
	"BETWEEN":     {"input": fExpr, "lower": fExpr, "upper": fExpr},
	"CASE":        {"case_checks": fChecks, "else_expr": fExpr},
	"CAST":        {"child": fExpr, "cast_type": fType, "try_cast": fPlain},
	"COLLATE":     {"child": fExpr, "collation": fPlain},
	"COLUMN_REF":  {"column_names": fPlain},
	"COMPARISON":  {"left": fExpr, "right": fExpr},
	"CONJUNCTION": {"children": fExprs},
	"CONSTANT":    {"value": fPlain},
	"FUNCTION": {
		"function_name": fPlain, "schema": fPlain, "catalog": fPlain, "children": fExprs, "filter": fFilter,
		"order_bys": fOrderBy,
		"distinct":  fPlain, "is_operator": fPlain, "export_state": fPlain,
	},
	"LAMBDA":               {"lhs": fExpr, "expr": fExpr},
	"OPERATOR":             {"children": fExprs},
	"PARAMETER":            {"identifier": fPlain},
	"POSITIONAL_REFERENCE": {"index": fPlain},
	"STAR": {
		"relation_name": fPlain, "exclude_list": fPlain, "replace_list": fReplace, "columns": fPlain, "expr": fExpr,
		"qualified_exclude_list": fPlain, "rename_list": fPlain,
	},
	"SUBQUERY": {"subquery_type": fPlain, "subquery": fStatement, "child": fExpr, "comparison_type": fPlain},
	"WINDOW": {
		"function_name": fPlain, "schema": fPlain, "catalog": fPlain, "children": fExprs, "partitions": fExprs,
		"orders": fOrders,
		"start":  fPlain, "end": fPlain, "start_expr": fExpr, "end_expr": fExpr, "offset_expr": fExpr, "default_expr": fExpr,
		"ignore_nulls": fPlain, "filter_expr": fFilter, "exclude_clause": fPlain, "distinct": fPlain, "arg_orders": fOrders,
	},
})

// operatorTypes are the types of the class OPERATOR.
var operatorTypes = newFunctionSet(`
	operator_not operator_is_null operator_is_not_null operator_coalesce operator_nullif operator_try
	operator_unpack compare_in
	compare_not_in array_extract array_slice struct_extract array_constructor arrow grouping_function`)

// refShapes has the fields of table references by type, beside type, alias,
// sample and query_location.
var refShapes = shapesOf(map[string]fieldKinds{
	"BASE_TABLE": {
		"schema_name":       fPlain,
		"table_name":        fPlain,
		"catalog_name":      fPlain,
		"column_name_alias": fPlain,
		"at_clause":         fNone,
	},
	"EMPTY": {},
	"EXPRESSION_LIST": {
		"expected_names": fPlain, "expected_types": fTypes, "values": fExprLists,
	},
	"JOIN": {
		"left": fRef, "right": fRef, "condition": fFilter, "join_type": fPlain, "ref_type": fPlain, "using_columns": fPlain,
		"delim_flipped": fPlain, "duplicate_eliminated_columns": fNone,
	},
	"PIVOT": {
		"source": fRef, "aggregates": fExprs, "unpivot_names": fPlain, "pivots": fPivots, "groups": fPlain,
		"column_name_alias": fPlain,
		"include_nulls":     fPlain,
	},
	"SHOW_REF": {
		"query":        fQuery,
		"show_type":    fPlain,
		"table_name":   fPlain,
		"schema_name":  fPlain,
		"catalog_name": fPlain,
	},
	"SUBQUERY":       {"subquery": fStatement, "column_name_alias": fPlain},
	"TABLE_FUNCTION": {"function": fExpr, "column_name_alias": fPlain, "with_ordinality": fPlain},
})

// queryShapes has the fields of query nodes by type, beside type, cte_map and
// modifiers. FROM comes before what refers to it, see queryOrder.
var queryShapes = shapesOf(map[string]fieldKinds{
	"SELECT_NODE": {
		"from_table": fRef, "select_list": fExprs, "where_clause": fFilter, "group_expressions": fExprs, "group_sets": fPlain,
		"aggregate_handling": fPlain, "sample": fPlain,
	},
	"SET_OPERATION_NODE": {"setop_type": fPlain, "setop_all": fPlain, "left": fQuery, "right": fQuery},
	"RECURSIVE_CTE_NODE": {
		"cte_name":    fPlain,
		"union_all":   fPlain,
		"left":        fQuery,
		"right":       fQuery,
		"aliases":     fPlain,
		"key_targets": fExprs,
	},
})
