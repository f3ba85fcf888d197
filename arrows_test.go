package kalam_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fewArrows is how many arrows a package must have for the tenth to be asked of it.
const fewArrows = 10

// arrow says that a file uses what another file of its package declares.
type arrow struct{ from, to string }

// TestArrowsRunDown fails for a package of whose arrows more than a tenth run up,
// against the best order of its files from top to bottom that is found. It types each
// package without those that it imports, so it misses an arrow that only the type of
// a foreign function shows.
func TestArrowsRunDown(t *testing.T) {
	for _, dir := range slices.Sorted(maps.Keys(layers)) {
		arrows := arrowsOf(t, dir)
		up := upward(arrows)
		if len(arrows) < fewArrows || len(up)*10 <= len(arrows) {
			continue
		}
		t.Errorf("package %s: %d of %d arrows between its files run up", dir, len(up), len(arrows))
		for _, a := range up {
			t.Logf("%s uses of %s: %s", a.from, a.to, strings.Join(slices.Sorted(maps.Keys(arrows[a])), ", "))
		}
	}
}

// noImports gives an empty package for each that is imported: what is used of it has
// no type, which is no matter here.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, filepath.Base(path))
	p.MarkComplete()
	return p, nil
}

// arrowsOf returns the arrows between the files of a package, each with the names
// that are used.
func arrowsOf(t *testing.T, dir string) map[arrow]map[string]bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		fits, err := build.Default.MatchFile(filepath.Dir(name), filepath.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		if !fits || strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: noImports{}, Error: func(error) {}, FakeImportC: true}
	pkg, _ := conf.Check(dir, fset, files, &info) // The errors are those of the empty packages.
	arrows := map[arrow]map[string]bool{}
	for id, o := range info.Uses {
		a := arrow{filepath.Base(fset.Position(id.Pos()).Filename), filepath.Base(fset.Position(o.Pos()).Filename)}
		if o.Pkg() != pkg || a.from == a.to || !isDeclared(o) {
			continue
		}
		if arrows[a] == nil {
			arrows[a] = map[string]bool{}
		}
		arrows[a][o.Name()] = true
	}
	return arrows
}

// isDeclared reports whether o is declared by a package, not within a function or a
// type; methods are.
func isDeclared(o types.Object) bool {
	if _, ok := o.(*types.Func); ok {
		return true
	}
	_, foreign := o.(*types.PkgName)
	return !foreign && o.Pkg() != nil && o.Parent() == o.Pkg().Scope()
}

// upward returns the arrows that run up. The order begins with the files that use more
// than is used of them; then files are moved while fewer arrows run up.
func upward(arrows map[arrow]map[string]bool) []arrow {
	value := map[string]int{}
	for a := range arrows {
		value[a.from]--
		value[a.to]++
	}
	order := slices.Sorted(maps.Keys(value))
	slices.SortStableFunc(order, func(a, b string) int { return value[a] - value[b] })
	up := func(order []string) (up []arrow) {
		for a := range arrows {
			if slices.Index(order, a.from) > slices.Index(order, a.to) {
				up = append(up, a)
			}
		}
		return up
	}
	best := up(order)
	for i := 0; i < len(order) && len(best) > 0; i++ {
		rest := slices.Delete(slices.Clone(order), i, i+1)
		for j := range order {
			moved := slices.Insert(slices.Clone(rest), j, order[i])
			if now := up(moved); len(now) < len(best) {
				order, best, i = moved, now, -1
				break
			}
		}
	}
	return best
}
