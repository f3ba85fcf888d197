package dialect_test

import (
	"testing"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/dialect/ast"
)

func ptr[T any](v T) *T { return &v }

func TestStorages(t *testing.T) {
	for _, c := range []statementCase{
		{"CREATE STORAGE disk TYPE filesystem URI '/data'", &ast.CreateStorage{
			Storage: "disk", Type: "filesystem", Settings: ast.StorageSettings{URI: ptr("/data")}, Pos: 15,
		}},
		{"create storage if not exists 'Disk' path '/data' type 'FileSystem';", &ast.CreateStorage{
			Storage: "disk", IfNotExists: true, Type: "filesystem",
			Settings: ast.StorageSettings{URI: ptr("/data")}, Pos: 29,
		}},
		{"CREATE STORAGE disk TYPE = filesystem BASE_DIRECTORY = '/data'", &ast.CreateStorage{
			Storage: "disk", Type: "filesystem", Settings: ast.StorageSettings{URI: ptr("/data")}, Pos: 15,
		}},
		{"CREATE STORAGE s TYPE s3 BUCKET 'b' REGION 'eu'", &ast.CreateStorage{
			Storage: "s", Type: "s3", Settings: ast.StorageSettings{URI: ptr("s3://b/"), Region: ptr("eu")},
			Pos: 15,
		}},
		{"CREATE STORAGE s TYPE s3 BUCKET 's3://b/p/'", &ast.CreateStorage{
			Storage: "s", Type: "s3", Settings: ast.StorageSettings{URI: ptr("s3://b/p/")}, Pos: 15,
		}},
		{"CREATE STORAGE s TYPE s3 NAME 'n' DESCRIPTION 'd' URI 's3://b/' SHARED_TABLES_TEMPLATE 'x' " +
			"USER_TABLES_TEMPLATE 'y' CREDENTIALS '{\"a\": 1}' CONFIG ' {}'", &ast.CreateStorage{
			Storage: "s", Type: "s3", Pos: 15, Settings: ast.StorageSettings{
				Name: ptr("n"), Description: ptr("d"), URI: ptr("s3://b/"), SharedTemplate: ptr("x"),
				UserTemplate: ptr("y"),
				Credentials:  ptr(ast.Secret(`{"a": 1}`)), Config: ptr(" {}"),
			},
		}},
		{"ALTER STORAGE s SET NAME 'n'", &ast.AlterStorage{Storage: "s",
			Settings: ast.StorageSettings{Name: ptr("n")}, Pos: 14}},
		{"ALTER STORAGE s SET NAME = 'n', DESCRIPTION = '' SET CONFIG '{}';", &ast.AlterStorage{
			Storage: "s", Settings: ast.StorageSettings{Name: ptr("n"), Description: ptr(""), Config: ptr("{}")},
			Pos: 14,
		}},
		{"ALTER STORAGE \"s\" SET URI '/x', SET CREDENTIALS '{}'", &ast.AlterStorage{
			Storage: "s", Settings: ast.StorageSettings{URI: ptr("/x"), Credentials: ptr(ast.Secret("{}"))},
			Pos: 14,
		}},
		{"DROP STORAGE s", &ast.DropStorage{Storage: "s", Pos: 13}},
		{"DROP STORAGE IF EXISTS S1;", &ast.DropStorage{Storage: "s1", IfExists: true, Pos: 23}},
		{"SHOW STORAGES", &ast.ShowStorages{}},
		{"STORAGE CHECK s", &ast.CheckStorage{Storage: "s", Pos: 14}},
		{"storage check 'S' extended;", &ast.CheckStorage{Storage: "s", Extended: true, Pos: 14}},
		{"STORAGE FLUSH TABLE ns.t", &ast.FlushTable{Table: ast.Name{Parts: []string{"ns", "t"}, Pos: 20}}},
		{"STORAGE FLUSH ALL", &ast.FlushAll{}},
		{"STORAGE FLUSH ALL IN ns", &ast.FlushAll{Namespace: ptr(ident("ns", 21))}},
		{"STORAGE FLUSH ALL IN NAMESPACE 'Ns';", &ast.FlushAll{Namespace: ptr(ident("ns", 31))}},
		{"STORAGE COMPACT TABLE t", &ast.CompactTable{Table: ast.Name{Parts: []string{"t"}, Pos: 22}}},
		{"STORAGE COMPACT ALL", &ast.CompactAll{}},
		{"STORAGE COMPACT ALL FROM ns", &ast.CompactAll{Namespace: ptr(ident("ns", 25))}},
		{"STORAGE COMPACT TABLE t RETAIN 0 HOURS;",
			&ast.CompactTable{Table: ast.Name{Parts: []string{"t"}, Pos: 22},
				Retain: ptr(0)}},
		{"storage compact table t retain 1 hour",
			&ast.CompactTable{Table: ast.Name{Parts: []string{"t"}, Pos: 22},
				Retain: ptr(1)}},
		{"STORAGE COMPACT TABLE t PURGE DELETED",
			&ast.CompactTable{Table: ast.Name{Parts: []string{"t"}, Pos: 22}, Retain: ptr(0)}},
		{"storage compact all in ns purge deleted;", &ast.CompactAll{Namespace: ptr(ident("ns", 23)), Retain: ptr(0)}},
		{"STORAGE COMPACT ALL RETAIN 1_000 HOURS", &ast.CompactAll{Retain: ptr(1000)}},
		{"STORAGE COMPACT ALL IN ns RETAIN 24 HOURS",
			&ast.CompactAll{Namespace: ptr(ident("ns", 23)), Retain: ptr(24)}},
		{"STORAGE COMPACT TABLE retain RETAIN 876000 HOURS",
			&ast.CompactTable{Table: ast.Name{Parts: []string{"retain"}, Pos: 22}, Retain: ptr(876000)}},
	} {
		c.check(t)
	}
}

func TestStorageErrors(t *testing.T) {
	const sql, no = kalam.CodeInvalidSQL, kalam.CodeUnsupported
	for _, c := range []errorCase{
		{"CREATE STORAGE", sql, 15, "Syntax error at end of statement: expected storage id"},
		{"CREATE STORAGE 'a b' TYPE s3", sql, 16, `storage name "a b" may only hold letters, digits and '_'`},
		{"CREATE STORAGE s", sql, 17, "Syntax error at end of statement: expected TYPE filesystem or TYPE s3"},
		{"CREATE STORAGE s URI '/x'", sql, 26, "Syntax error at end of statement: expected TYPE filesystem or TYPE s3"},
		{"CREATE STORAGE s TYPE", sql, 22, "Syntax error at end of statement: expected storage type"},
		{"CREATE STORAGE s TYPE ftp", sql, 23, "Unknown storage type 'ftp' (expected filesystem or s3)"},
		{"CREATE STORAGE s TYPE gcs", no, 23, "Storage type 'gcs' is not supported (expected filesystem or s3)"},
		{"CREATE STORAGE s TYPE azure", no, 23, "Storage type 'azure' is not supported (expected filesystem or s3)"},
		{"CREATE STORAGE s TYPE s3 TYPE s3", sql, 26, "TYPE is given twice"},
		{"CREATE STORAGE s TYPE s3", sql, 25,
			"Syntax error at end of statement: expected URI 's3://bucket/prefix/' or BUCKET 'name'"},
		{"CREATE STORAGE s TYPE filesystem", sql, 33,
			"Syntax error at end of statement: expected URI, PATH or BASE_DIRECTORY 'directory'"},
		{"CREATE STORAGE s TYPE filesystem BUCKET 'b'", sql, 34, "BUCKET is only supported for TYPE s3"},
		{"CREATE STORAGE s TYPE s3 BUCKET ''", sql, 33, "BUCKET is empty"},
		{"CREATE STORAGE s TYPE s3 BUCKET b", sql, 33,
			"Syntax error at or near 'b': expected a quoted text after BUCKET"},
		{"CREATE STORAGE s TYPE s3 URI 'x' PATH 'y'", sql, 34, "PATH is given twice"},
		{"CREATE STORAGE s TYPE s3 COLOUR 'x'", sql, 26,
			"Syntax error at or near 'COLOUR': expected a clause of CREATE or ALTER STORAGE"},
		{"CREATE STORAGE s TYPE s3 URI 'x' 'y'", sql, 34, "Syntax error: expected a clause of CREATE STORAGE"},
		{"CREATE STORAGE s TYPE s3 CREDENTIALS '[]'", sql, 38, "CREDENTIALS must be a JSON object in quotes"},
		{"CREATE STORAGE s TYPE s3 CREDENTIALS '{\"key\": '", sql, 38, "CREDENTIALS must be a JSON object in quotes"},
		{"CREATE STORAGE s TYPE s3 CREDENTIALS hunter2", sql, 38,
			"Syntax error: expected a quoted JSON object after CREDENTIALS"},
		{"CREATE STORAGE s TYPE s3 CREDENTIALS $hunter2", sql, 38, "Invalid parameter placeholder"},
		{"CREATE STORAGE s TYPE s3 CREDENTIALS '{}' CREDENTIALS '{}'", sql, 43, "CREDENTIALS is given twice"},
		{"CREATE STORAGE s TYPE s3 CONFIG 'x'", sql, 33, "CONFIG must be a JSON object in quotes"},
		{"ALTER STORAGE", sql, 14, "Syntax error at end of statement: expected storage id"},
		{"ALTER STORAGE s", sql, 16, "Syntax error at end of statement: expected SET"},
		{"ALTER STORAGE s SET", sql, 20,
			"Syntax error at end of statement: expected a clause of CREATE or ALTER STORAGE"},
		{"ALTER STORAGE s SET NAME", sql, 25, "Syntax error at end of statement: expected a quoted text after NAME"},
		{"ALTER STORAGE s SET NAME 'n',", sql, 30,
			"Syntax error at end of statement: expected a clause of CREATE or ALTER STORAGE"},
		{"ALTER STORAGE s SET TYPE s3", no, 21, "ALTER STORAGE cannot change the TYPE"},
		{"ALTER STORAGE s SET NAME 'n', BUCKET 'b'", no, 31, "ALTER STORAGE cannot change the BUCKET"},
		{"DROP STORAGE", sql, 13, "Syntax error at end of statement: expected storage id"},
		{"DROP STORAGE s CASCADE", sql, 16, "Syntax error at or near 'CASCADE': expected end of statement"},
		{"STORAGE", sql, 1, "Unsupported statement type: STORAGE"},
		{"STORAGE PURGE", sql, 1, "Unsupported statement type: STORAGE PURGE"},
		{"STORAGE FLUSH", sql, 14, "Syntax error at end of statement: expected TABLE or ALL"},
		{"STORAGE COMPACT x", sql, 17, "Syntax error at or near 'x': expected TABLE or ALL"},
		{"STORAGE COMPACT TABLE t RETAIN", sql, 31,
			"Syntax error at end of statement: expected a number of hours after RETAIN"},
		{"STORAGE COMPACT TABLE t RETAIN -1 HOURS", sql, 32,
			"Syntax error at or near '-': expected a number of hours after RETAIN"},
		{"STORAGE COMPACT TABLE t RETAIN 1.5 HOURS", sql, 32, "RETAIN must be between 0 and 876000 hours, got '1.5'"},
		{"STORAGE COMPACT TABLE t RETAIN 876001 HOURS", sql, 32,
			"RETAIN must be between 0 and 876000 hours, got '876001'"},
		{"STORAGE COMPACT TABLE t PURGE", sql, 30,
			"Syntax error at end of statement: expected DELETED after PURGE"},
		{"STORAGE COMPACT TABLE t PURGE DELETED RETAIN 5 HOURS", sql, 39,
			"Syntax error at or near 'RETAIN': expected end of statement"},
		{"STORAGE COMPACT TABLE t RETAIN 5", sql, 33, "Syntax error at end of statement: expected HOURS"},
		{"STORAGE COMPACT ALL RETAIN 5 DAYS", sql, 30, "Syntax error at or near 'DAYS': expected HOURS"},
		{"STORAGE FLUSH TABLE t RETAIN 5 HOURS", sql, 23,
			"Syntax error at or near 'RETAIN': expected end of statement"},
		{"STORAGE FLUSH TABLE", sql, 20, "Syntax error at end of statement: expected table name"},
		{"STORAGE FLUSH ALL IN", sql, 21, "Syntax error at end of statement: expected namespace name"},
		{"STORAGE FLUSH ALL ns", sql, 19, "Syntax error at or near 'ns': expected end of statement"},
		{"STORAGE CHECK", sql, 14, "Syntax error at end of statement: expected storage id"},
		{"STORAGE CHECK s FULL", sql, 17, "Syntax error at or near 'FULL': expected end of statement"},
		{"FLUSH TABLE t", sql, 1, "Unsupported statement type: FLUSH TABLE"},
	} {
		c.check(t)
	}
}
