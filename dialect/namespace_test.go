package dialect_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect"
)

func TestNamespaces(t *testing.T) {
	for _, c := range []statementCase{
		{"CREATE NAMESPACE app", &dialect.CreateNamespace{Namespace: "app", Pos: 17}},
		{"create namespace if not exists App;", &dialect.CreateNamespace{Namespace: "app", IfNotExists: true, Pos: 31}},
		{"CREATE NAMESPACE `app`", &dialect.CreateNamespace{Namespace: "app", Pos: 17}},
		{"CREATE NAMESPACE app WITH OPTIONS (a = 'x', b = TRUE, c = -5, d = 1.5, 'E' = E'a\\tb')",
			&dialect.CreateNamespace{Namespace: "app", Pos: 17, Options: []dialect.Property{
				{Key: "a", Value: kalam.Text("x"), Pos: 35}, {Key: "b", Value: kalam.Bool(true), Pos: 44},
				{Key: "c", Value: kalam.BigInt(-5), Pos: 54},
				{Key: "d", Value: kalam.Double(1.5), Pos: 62}, {Key: "e", Value: kalam.Text("a\tb"), Pos: 71},
			}}},
		{"CREATE NAMESPACE app OPTIONS ()", &dialect.CreateNamespace{Namespace: "app", Pos: 17}},
		{"ALTER NAMESPACE app SET OPTIONS (a = 1, A = 1,)", &dialect.AlterNamespace{
			Namespace: ident("app", 16), Options: []dialect.Property{{Key: "a", Value: kalam.BigInt(1), Pos: 33}},
		}},
		{"ALTER NAMESPACE app SET OPTIONS (a = 99999999999999999999)", &dialect.AlterNamespace{
			Namespace: ident("app", 16), Options: []dialect.Property{{Key: "a", Value: kalam.Double(1e20), Pos: 33}},
		}},
		{"DROP NAMESPACE app", &dialect.DropNamespace{Namespace: ident("app", 15)}},
		{"DROP NAMESPACE IF EXISTS app CASCADE", &dialect.DropNamespace{Namespace: ident("app", 25), IfExists: true,
			Cascade: true}},
		{"DROP NAMESPACE app RESTRICT;", &dialect.DropNamespace{Namespace: ident("app", 15)}},
		{"DROP NAMESPACE select", &dialect.DropNamespace{Namespace: ident("select", 15)}},
		{"CREATE NAMESPACE default", &dialect.CreateNamespace{Namespace: "default", Pos: 17}},
		{"CREATE NAMESPACE IF NOT EXISTS DEFAULT", &dialect.CreateNamespace{Namespace: "default", IfNotExists: true,
			Pos: 31}},
		{"ALTER NAMESPACE default SET OPTIONS ()", &dialect.AlterNamespace{Namespace: ident("default", 16)}},
		{"DROP NAMESPACE IF EXISTS default", &dialect.DropNamespace{Namespace: ident("default", 25), IfExists: true}},
		{"USE app", &dialect.Use{Namespace: ident("app", 4)}},
		{"USE default", &dialect.Use{Namespace: ident("default", 4)}},
		{"USE NAMESPACE Default;", &dialect.Use{Namespace: ident("default", 14)}},
		{"USE select", &dialect.Use{Namespace: ident("select", 4)}},
		{"SET NAMESPACE = default", &dialect.Use{Namespace: ident("default", 16)}},
		{"SET NAMESPACE TO 'Default'", &dialect.Use{Namespace: ident("default", 17)}},
		{"USE NAMESPACE app", &dialect.Use{Namespace: ident("app", 14)}},
		{"USE 'App'", &dialect.Use{Namespace: ident("app", 4)}},
		{"USE NAMESPACE \"App\"", &dialect.Use{Namespace: dialect.Ident{Name: "app", Quoted: true, Pos: 14}}},
		{"USE `app`;", &dialect.Use{Namespace: dialect.Ident{Name: "app", Quoted: true, Pos: 4}}},
		{"USE namespace", &dialect.Use{Namespace: ident("namespace", 4)}},
		{"USE namespace;", &dialect.Use{Namespace: ident("namespace", 4)}},
		{"SET NAMESPACE app", &dialect.Use{Namespace: ident("app", 14)}},
		{"SET NAMESPACE = app", &dialect.Use{Namespace: ident("app", 16)}},
		{"SET NAMESPACE TO 'app'", &dialect.Use{Namespace: ident("app", 17)}},
		{"SHOW NAMESPACES", &dialect.ShowNamespaces{}},
		{"show databases", &dialect.ShowNamespaces{}},
		{"SHOW SCHEMAS;", &dialect.ShowNamespaces{}},
	} {
		c.check(t)
	}
}

func TestNamespaceErrors(t *testing.T) {
	const sql = kalam.CodeInvalidSQL
	for _, c := range []errorCase{
		{"CREATE NAMESPACE", sql, 17, "Syntax error at end of statement: expected namespace name"},
		{"CREATE NAMESPACE system", sql, 18, "Namespace name 'system' is reserved"},
		{"CREATE NAMESPACE select", sql, 18, "namespace name 'select' is a reserved word"},

		{"CREATE NAMESPACE a.b", sql, 19, "Syntax error at or near '.': expected end of statement"},
		{"CREATE NAMESPACE 'app'", sql, 18, "Syntax error at or near ''app'': expected namespace name"},
		{"CREATE NAMESPACE app WITH", sql, 26, "Syntax error at end of statement: expected OPTIONS"},
		{"CREATE NAMESPACE app OPTIONS", sql, 29, "Syntax error at end of statement: expected '('"},
		{"CREATE NAMESPACE app OPTIONS (a", sql, 32, "Syntax error at end of statement: expected '='"},
		{"CREATE NAMESPACE app OPTIONS (a =", sql, 34, "Option 'a' takes a string, a number, TRUE or FALSE"},
		{"CREATE NAMESPACE app OPTIONS (a = NULL)", sql, 35, "Option 'a' takes a string, a number, TRUE or FALSE"},
		{"CREATE NAMESPACE app OPTIONS (a = $1)", sql, 35, "Option 'a' takes a string, a number, TRUE or FALSE"},
		{"CREATE NAMESPACE app OPTIONS (a = 1e999)", sql, 35, "Option 'a' takes a string, a number, TRUE or FALSE"},
		{"CREATE NAMESPACE app OPTIONS (a = 'x", sql, 35, "Unterminated quoted string"},
		{"CREATE NAMESPACE app OPTIONS ('' = 1)", sql, 31, "option name '' must be 1 to 64 bytes long"},
		{"CREATE NAMESPACE app OPTIONS (E'\\u' = 1)", sql, 31, "Syntax error: invalid Unicode escape in the string"},
		{"CREATE NAMESPACE app OPTIONS (a = 1 b = 2)", sql, 37, "Syntax error at or near 'b': expected ')'"},
		{"ALTER NAMESPACE app SET OPTIONS (a = 1, a = 2)", sql, 41, "Option 'a' is given twice with different values"},
		{"ALTER NAMESPACE", sql, 16, "Syntax error at end of statement: expected namespace name"},
		{"ALTER NAMESPACE app", sql, 20, "Syntax error at end of statement: expected SET"},
		{"ALTER NAMESPACE app SET x", sql, 25, "Syntax error at or near 'x': expected OPTIONS"},
		{"DROP NAMESPACE", sql, 15, "Syntax error at end of statement: expected namespace name"},
		{"DROP NAMESPACE IF app", sql, 19, "Syntax error at or near 'app': expected end of statement"},
		{"USE", sql, 4, "Syntax error at end of statement: expected namespace name"},
		{"USE NAMESPACE a b", sql, 17, "Syntax error at or near 'b': expected end of statement"},
		{"USE 5", sql, 5, "Syntax error at or near '5': expected namespace name"},
		{"USE default.t", sql, 12, "Syntax error at or near '.': expected end of statement"},
		{"SET NAMESPACE", sql, 14, "Syntax error at end of statement: expected namespace name"},
		{"SET", sql, 1, "Unsupported statement type: SET"},
	} {
		c.check(t)
	}
}
