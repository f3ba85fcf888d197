package trail_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unaudited are the statements that are in the log only when they are denied.
const unaudited = `Begin Commit Rollback Deallocate Describe DescribePrepared Execute ExecuteAs Explain Prepare ResetSetting Select
	SetSetting ShowColumns ShowCreate ShowExport ShowGrants ShowJobs ShowManifest ShowNamespaces ShowPolicies ShowSetting ShowStats
	ShowStorages ShowTables SubscribeTo Use`

// TestEveryStatement: of a statement of a new kind it is decided whether it is audited.
func TestEveryStatement(t *testing.T) {
	files, err := filepath.Glob("../../dialect/ast/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no statements: %v", err)
	}
	var kinds []string
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			method, ok := d.(*ast.FuncDecl)
			if !ok || method.Name.Name != "Verb" || method.Recv == nil {
				continue
			}
			if pointer, ok := method.Recv.List[0].Type.(*ast.StarExpr); ok {
				kinds = append(kinds, pointer.X.(*ast.Ident).Name)
			}
		}
	}
	source, err := os.ReadFile("statements.go")
	if err != nil {
		t.Fatal(err)
	}
	var audited []string
	for _, found := range regexp.MustCompile(`\*ast\.([A-Za-z]+)[,:]`).FindAllStringSubmatch(string(source), -1) {
		audited = append(audited, found[1])
	}
	for _, kind := range kinds {
		silent := slices.Contains(strings.Fields(unaudited), kind)
		if silent != (kind == "Select" || !slices.Contains(audited, kind)) {
			t.Errorf("%s is neither audited nor named as one that is not, or both", kind)
		}
	}
	if len(kinds) < 60 {
		t.Errorf("only %d kinds of statements were found", len(kinds))
	}
}
