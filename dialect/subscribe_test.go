package dialect_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

func TestSubscribe(t *testing.T) {
	table := func(parts ...string) ast.Name { return ast.Name{Parts: parts, Pos: 13} }
	for _, c := range []statementCase{
		{"SUBSCRIBE TO app.t", &ast.SubscribeTo{Query: "SELECT * FROM app.t", Table: table("app", "t"), Pos: 13}},
		{"subscribe to T;", &ast.SubscribeTo{Query: "SELECT * FROM T", Table: table("t"), Pos: 13}},
		{"SUBSCRIBE TO app.t WHERE a = $1 AND b > 2", &ast.SubscribeTo{
			Query: "SELECT * FROM app.t WHERE a = $1 AND b > 2", Table: table("app", "t"), Pos: 13, Params: 1,
		}},
		{"SUBSCRIBE TO `app`.`T` WHERE `a` ? 'k' LAST 5", &ast.SubscribeTo{
			Query: `SELECT * FROM "app"."T" WHERE json_contains("a" , 'k')`, Table: table("app", "t"), Pos: 13,
			Options: &ast.SubscribeOptions{LastRows: ptr(5)},
		}},
		{"SUBSCRIBE TO app.t LAST 20", &ast.SubscribeTo{
			Query: "SELECT * FROM app.t", Table: table("app", "t"), Pos: 13,
			Options: &ast.SubscribeOptions{LastRows: ptr(20)},
		}},
		{"SUBSCRIBE TO app.t OPTIONS ()", &ast.SubscribeTo{
			Query: "SELECT * FROM app.t", Table: table("app", "t"), Pos: 13, Options: &ast.SubscribeOptions{},
		}},
		{"SUBSCRIBE TO app.t OPTIONS (last_rows = 5, BATCH_SIZE='1_000', buffer_size := 0, from = " +
			"9223372036854775807,)",
			&ast.SubscribeTo{
				Query: "SELECT * FROM app.t", Table: table("app", "t"), Pos: 13,
				Options: &ast.SubscribeOptions{LastRows: ptr(5), BatchSize: ptr(1000), BufferSize: ptr(0),
					From: ptr(kalam.Seq(9223372036854775807))},
			}},
		{"SUBSCRIBE TO app.t LAST 5 OPTIONS (from_seq_id = 7, from = 7, last_rows = 5)", &ast.SubscribeTo{
			Query: "SELECT * FROM app.t", Table: table("app", "t"), Pos: 13,
			Options: &ast.SubscribeOptions{LastRows: ptr(5), From: ptr(kalam.Seq(7))},
		}},
		{"SUBSCRIBE TO SELECT a, b FROM app.t WHERE c = 'x;' OPTIONS (last_rows=1);", &ast.SubscribeTo{
			Query: "SELECT a, b FROM app.t WHERE c = 'x;'", Pos: 13,
			Options: &ast.SubscribeOptions{LastRows: ptr(1)},
		}},
		{"SUBSCRIBE TO (SELECT 1)", &ast.SubscribeTo{Query: "(SELECT 1)", Pos: 13}},
		{"SUBSCRIBE TO SELECT last, options FROM t",
			&ast.SubscribeTo{Query: "SELECT last, options FROM t", Pos: 13}},
		{"SUBSCRIBE TO last", &ast.SubscribeTo{Query: "SELECT * FROM last", Table: table("last"), Pos: 13}},
		{"SUBSCRIBE TO app.user.t -- all\n WHERE a /* b */ = 1", &ast.SubscribeTo{
			Query: "SELECT * FROM app.user.t -- all\n WHERE a /* b */ = 1", Table: table("app", "user", "t"), Pos: 13,
		}},
	} {
		c.check(t)
	}
}

func TestSubscribeErrors(t *testing.T) {
	const sql = kalam.CodeInvalidSQL
	for _, c := range []errorCase{
		{"SUBSCRIBE", sql, 1, "Unsupported statement type: SUBSCRIBE"},
		{"SUBSCRIBE TO", sql, 13, "Syntax error at end of statement: expected table name"},
		{"SUBSCRIBE TO 5", sql, 14, "Syntax error at or near '5': expected table name"},
		{"SUBSCRIBE TO t x", sql, 16, "Syntax error at or near 'x': expected WHERE, LAST or OPTIONS"},
		{"SUBSCRIBE TO t ORDER BY a", sql, 16, "Syntax error at or near 'ORDER': expected WHERE, LAST or OPTIONS"},
		{"SUBSCRIBE TO t WHERE (a = 1", sql, 28, "Syntax error at end of statement: expected ')'"},
		{"SUBSCRIBE TO t WHERE a = 1)", sql, 27, "Syntax error at or near ')': expected end of statement"},
		{"SUBSCRIBE TO t WHERE a = 'x", sql, 26, "Unterminated quoted string"},
		{"SUBSCRIBE TO t WHERE a ?", sql, 24, "Invalid parameter placeholder '?'; placeholders are $1, $2, ..."},
		{"SUBSCRIBE TO t WHERE a = $2", sql, 26, "Invalid parameter placeholder '$2'"},
		{"SUBSCRIBE TO t LAST x", sql, 16, "Syntax error at or near 'LAST': expected WHERE, LAST or OPTIONS"},
		{"SUBSCRIBE TO t LAST 1.5", sql, 21, "LAST must be an integer from 0 to 2147483647, got '1.5'"},
		{"SUBSCRIBE TO t LAST 99999999999", sql, 21, "LAST must be an integer from 0 to 2147483647, got '99999999999'"},
		{"SUBSCRIBE TO t LAST 5 x", sql, 23, "Syntax error at or near 'x': expected end of statement"},
		{"SUBSCRIBE TO t OPTIONS", sql, 16, "Syntax error at or near 'OPTIONS': expected WHERE, LAST or OPTIONS"},
		{"SUBSCRIBE TO t OPTIONS (", sql, 25, "Syntax error at end of statement: expected an option"},
		{"SUBSCRIBE TO t OPTIONS (last_rows", sql, 34, "Syntax error at end of statement: expected '='"},
		{"SUBSCRIBE TO t OPTIONS (last_rows 5)", sql, 35, "Syntax error at or near '5': expected '='"},
		{"SUBSCRIBE TO t OPTIONS (last_rows = x)", sql, 37,
			"Syntax error at or near 'x': expected a number for last_rows"},
		{"SUBSCRIBE TO t OPTIONS (last_rows = -1)", sql, 37,
			"Syntax error at or near '-': expected a number for last_rows"},
		{"SUBSCRIBE TO t OPTIONS (last_rows = '-1')", sql, 37,
			"last_rows must be an integer from 0 to 2147483647, got '-1'"},
		{"SUBSCRIBE TO t OPTIONS (last_rows = E'\\u')", sql, 37, "Syntax error: invalid Unicode escape in the string"},
		{"SUBSCRIBE TO t OPTIONS (from = 9223372036854775808)", sql, 32,
			"from must be an integer from 0 to 9223372036854775807, got '9223372036854775808'"},
		{"SUBSCRIBE TO t OPTIONS (from = 1, from_seq_id = 2)", sql, 35,
			"Option 'from_seq_id' is given twice with different values"},
		{"SUBSCRIBE TO t LAST 5 OPTIONS (last_rows = 6)", sql, 32,
			"Option 'last_rows' is given twice with different values"},
		{"SUBSCRIBE TO t OPTIONS (colour = 1)", sql, 25,
			"Unknown subscription option 'colour' (expected last_rows, batch_size, buffer_size or from)"},
		{"SUBSCRIBE TO t OPTIONS ('last_rows' = 1)", sql, 25,
			"Syntax error at or near ''last_rows'': expected an option"},
		{"SUBSCRIBE TO t OPTIONS (last_rows = 1", sql, 38, "Syntax error at end of statement: expected ')'"},
		{"SUBSCRIBE TO t OPTIONS (last_rows = 1) WHERE a", sql, 40,
			"Syntax error at or near 'WHERE': expected end of statement"},
	} {
		c.check(t)
	}
}
