package systables

import (
	"context"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// Datatypes is the table of the data types.
func Datatypes() []Table {
	return []Table{{Closed("datatypes", `arrow_type TEXT, kalam_type TEXT, sql_name TEXT, description TEXT`),
		datatypeRows}}
}

func datatypeRows(context.Context, Viewer) ([][]kalam.Value, error) {
	var rows [][]kalam.Value
	for _, k := range kalam.Kinds() {
		t := kalam.TypeOf(k)
		wire, err := t.MarshalJSON()
		if err != nil {
			return nil, err
		}
		rows = append(rows, []kalam.Value{
			kalam.Text(datatype.ArrowType(t).String()), kalam.Text(unquoted(wire)), kalam.Text(t.String()),
			kalam.Text(k.Description()),
		})
	}
	return rows, nil
}

// unquoted strips the quotes of a JSON string that needs no escapes.
func unquoted(b []byte) string {
	if len(b) > 1 && b[0] == '"' {
		return string(b[1 : len(b)-1])
	}
	return string(b)
}
