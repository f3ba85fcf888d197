package dialect_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

func TestNamespaces(t *testing.T) {
	for _, c := range []statementCase{
		{"CREATE NAMESPACE app", &ast.CreateNamespace{Namespace: "app", Pos: 17}},
		{"create namespace if not exists App;", &ast.CreateNamespace{Namespace: "app", IfNotExists: true, Pos: 31}},
		{"CREATE NAMESPACE `app`", &ast.CreateNamespace{Namespace: "app", Pos: 17}},
		{"CREATE NAMESPACE app WITH OPTIONS (a = 'x', b = TRUE, c = -5, d = 1.5, 'E' = E'a\\tb')",
			&ast.CreateNamespace{Namespace: "app", Pos: 17, Options: []ast.Property{
				{Key: "a", Value: kalam.Text("x"), Pos: 35}, {Key: "b", Value: kalam.Bool(true), Pos: 44},
				{Key: "c", Value: kalam.BigInt(-5), Pos: 54},
				{Key: "d", Value: kalam.Double(1.5), Pos: 62}, {Key: "e", Value: kalam.Text("a\tb"), Pos: 71},
			}}},
		{"CREATE NAMESPACE app OPTIONS ()", &ast.CreateNamespace{Namespace: "app", Pos: 17}},
		{"ALTER NAMESPACE app SET OPTIONS (a = 1, A = 1,)", &ast.AlterNamespace{
			Namespace: ident("app", 16), Options: []ast.Property{{Key: "a", Value: kalam.BigInt(1), Pos: 33}},
		}},
		{"ALTER NAMESPACE app SET OPTIONS (a = 99999999999999999999)", &ast.AlterNamespace{
			Namespace: ident("app", 16), Options: []ast.Property{{Key: "a", Value: kalam.Double(1e20), Pos: 33}},
		}},
		{"DROP NAMESPACE app", &ast.DropNamespace{Namespace: ident("app", 15)}},
		{"DROP NAMESPACE IF EXISTS app CASCADE", &ast.DropNamespace{Namespace: ident("app", 25), IfExists: true,
			Cascade: true}},
		{"DROP NAMESPACE app RESTRICT;", &ast.DropNamespace{Namespace: ident("app", 15)}},
		{"DROP NAMESPACE select", &ast.DropNamespace{Namespace: ident("select", 15)}},
		{"CREATE NAMESPACE default", &ast.CreateNamespace{Namespace: "default", Pos: 17}},
		{"CREATE NAMESPACE IF NOT EXISTS DEFAULT", &ast.CreateNamespace{Namespace: "default", IfNotExists: true,
			Pos: 31}},
		{"ALTER NAMESPACE default SET OPTIONS ()", &ast.AlterNamespace{Namespace: ident("default", 16)}},
		{"DROP NAMESPACE IF EXISTS default", &ast.DropNamespace{Namespace: ident("default", 25), IfExists: true}},
		{"USE app", &ast.Use{Namespace: ident("app", 4)}},
		{"USE default", &ast.Use{Namespace: ident("default", 4)}},
		{"USE NAMESPACE Default;", &ast.Use{Namespace: ident("default", 14)}},
		{"USE select", &ast.Use{Namespace: ident("select", 4)}},
		{"SET NAMESPACE = default", &ast.Use{Namespace: ident("default", 16)}},
		{"SET NAMESPACE TO 'Default'", &ast.Use{Namespace: ident("default", 17)}},
		{"USE NAMESPACE app", &ast.Use{Namespace: ident("app", 14)}},
		{"USE 'App'", &ast.Use{Namespace: ident("app", 4)}},
		{"USE NAMESPACE \"App\"", &ast.Use{Namespace: ast.Ident{Name: "app", Quoted: true, Pos: 14}}},
		{"USE `app`;", &ast.Use{Namespace: ast.Ident{Name: "app", Quoted: true, Pos: 4}}},
		{"USE namespace", &ast.Use{Namespace: ident("namespace", 4)}},
		{"USE namespace;", &ast.Use{Namespace: ident("namespace", 4)}},
		{"SET NAMESPACE app", &ast.Use{Namespace: ident("app", 14)}},
		{"SET NAMESPACE = app", &ast.Use{Namespace: ident("app", 16)}},
		{"SET NAMESPACE TO 'app'", &ast.Use{Namespace: ident("app", 17)}},
		{"SHOW NAMESPACES", &ast.ShowNamespaces{}},
		{"show databases", &ast.ShowNamespaces{}},
		{"SHOW SCHEMAS;", &ast.ShowNamespaces{}},
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
