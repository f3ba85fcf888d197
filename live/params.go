package live

import (
	"encoding/json"
	"strconv"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// ParamsJSON writes parameters as a client sends them: integers as numbers.
func ParamsJSON(params []kalam.Value) []json.RawMessage {
	var out []json.RawMessage
	for _, v := range params {
		if v.Kind() == kalam.KindBigInt {
			out = append(out, strconv.AppendInt(nil, v.Int(), 10))
			continue
		}
		out = append(out, datatype.AppendValue(nil, v))
	}
	return out
}
