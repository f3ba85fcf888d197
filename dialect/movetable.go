package dialect

import "github.com/kalamlake/kalam/dialect/ast"

// moveTable parses the id after ALTER [kind] TABLE t SET STORAGE.
func (p *parser) moveTable(of *ast.AlterTable) (ast.Statement, error) {
	p.acceptOp("=")
	st := &ast.MoveTable{Kind: of.Kind, Name: of.Name, Pos: p.tok.Pos}
	var err error
	st.Storage, err = p.storageID()
	return st, err
}
