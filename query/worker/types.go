package worker

import (
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query"
)

// paramTypes returns the types of the placeholders of a text.
func (c *conn) paramTypes(sql string) ([]query.ParamType, error) {
	st, err := c.prepare(sql)
	if err != nil {
		return nil, err
	}
	defer st.close()
	out := make([]query.ParamType, mapping.NParams(st.p))
	for i := range out {
		out[i].Type, out[i].Known = st.paramType(i + 1)
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
