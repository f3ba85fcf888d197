package worker

import (
	"github.com/duckdb/duckdb-go/v2/arrowmapping"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
	"github.com/kalamlake/kalam/query"
)

// description prepares a text and returns what it takes and gives.
func (c *conn) description(sql string) (d query.Description, err error) {
	st, err := c.prepare(sql)
	if err != nil {
		return d, err
	}
	defer st.close()
	d.Params = make([]query.ParamType, mapping.NParams(st.p))
	for i := range d.Params {
		d.Params[i].Type, d.Params[i].Known = st.paramType(i + 1)
	}
	d.Columns, err = c.columns(st)
	return d, err
}

// columns returns the columns of a statement's result, of the types that its rows will have; nil when the values of
// placeholders decide them.
func (c *conn) columns(st *statement) ([]query.Column, error) {
	n := mapping.PreparedStatementColumnCount(st.p)
	out := make([]query.Column, n)
	names, types := make([]string, n), make([]mapping.LogicalType, n)
	defer destroyTypes(types)
	decided := true
	for i := range n {
		names[i] = mapping.PreparedStatementColumnName(st.p, i)
		types[i] = mapping.PreparedStatementColumnLogicalType(st.p, i)
		decided = decided && mapping.GetTypeId(types[i]) != mapping.TypeInvalid
	}
	if !decided { // DuckDB names no column then.
		return nil, nil
	}
	r := &result{}
	defer r.close()
	arrowmapping.ConnectionGetArrowOptions(c.c, &r.opts)
	if err := r.columns(names, types); err != nil {
		return nil, err
	}
	fields := newOutput(r).schema.Fields()
	for i := range out {
		out[i] = query.Column{Name: names[i], Type: datatype.TypeOfArrow(fields[i])}
		if r.nonArrow[i] {
			out[i].Type = kalam.TypeOf(kalam.KindText) // See cursor.again.
		}
	}
	return out, nil
}

// paramType returns the type of placeholder i, from 1, KindNull if it is none of ours.
// found is false when DuckDB has not decided.
func (st *statement) paramType(i int) (typ kalam.DataType, found bool) {
	t := mapping.ParamLogicalType(st.p, mapping.IdxT(i))
	defer mapping.DestroyLogicalType(&t)
	id := mapping.GetTypeId(t)
	if id == mapping.TypeDecimal {
		p, s := mapping.DecimalWidth(t), mapping.DecimalScale(t)
		return kalam.DataType{Kind: kalam.KindDecimal, Precision: p, Scale: s}, true
	}
	return kalam.DataType{Kind: typeKinds[id]}, id != mapping.TypeInvalid
}

// typeKinds are our kinds of DuckDB's types, but for text, which no operand is read as.
var typeKinds = map[mapping.Type]kalam.Kind{
	mapping.TypeBoolean:     kalam.KindBoolean,
	mapping.TypeSmallInt:    kalam.KindSmallInt,
	mapping.TypeInteger:     kalam.KindInt,
	mapping.TypeBigInt:      kalam.KindBigInt,
	mapping.TypeFloat:       kalam.KindFloat,
	mapping.TypeDouble:      kalam.KindDouble,
	mapping.TypeTimestamp:   kalam.KindTimestamp,
	mapping.TypeTimestampTZ: kalam.KindDateTime,
	mapping.TypeDate:        kalam.KindDate,
	mapping.TypeTime:        kalam.KindTime,
	mapping.TypeBlob:        kalam.KindBytes,
	mapping.TypeUUID:        kalam.KindUUID,
}
