package link

import (
	"bytes"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/link/wire"
)

// timeLayout is how a time.Time is sent: ISO 8601 in UTC, to the microsecond.
const timeLayout = "2006-01-02T15:04:05.999999Z"

// encodeRequest returns the body of a SQL request.
func encodeRequest(sql string, params []any, namespace kalam.NamespaceID) ([]byte, error) {
	if !utf8.ValidString(sql) {
		return nil, &Error{Kind: KindSQL, Code: wire.CodeBatchParse, Message: "the SQL text is not valid UTF-8"}
	}
	req := wire.SQLRequest{SQL: sql}
	if namespace != "" {
		ns := string(namespace)
		req.NamespaceID = &ns
	}
	var err error
	if req.Params, err = encodeParams(params); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(len(sql) + len(sql)/8 + 64)
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(req); err != nil {
		return nil, wrap(KindSerialization, err, "encode request")
	}
	return b.Bytes(), nil
}

// encodeParams returns parameters as JSON.
func encodeParams(params []any) ([]json.RawMessage, error) {
	var cells []json.RawMessage
	for i, p := range params {
		cell, problem := encodeParam(p)
		if problem != "" {
			return nil, &Error{Kind: KindSQL, Code: wire.CodeInvalidParameter,
				Message: "parameter $" + strconv.Itoa(i+1) + ": " + problem}
		}
		cells = append(cells, cell)
	}
	return cells, nil
}

// encodeParam returns a parameter as JSON, or why it cannot be sent.
func encodeParam(p any) (cell json.RawMessage, problem string) {
	switch v := p.(type) {
	case nil:
		return json.RawMessage("null"), ""
	case string:
		return encodeString(v)
	case bool:
		return strconv.AppendBool(nil, v), ""
	case int64:
		return strconv.AppendInt(nil, v, 10), ""
	case int:
		return strconv.AppendInt(nil, int64(v), 10), ""
	case float64:
		return encodeFloat(v, 64)
	case float32:
		return encodeFloat(float64(v), 32)
	case time.Time:
		return strconv.AppendQuote(nil, v.UTC().Format(timeLayout)), ""
	case []byte:
		if v == nil {
			return json.RawMessage("null"), ""
		}
		return encodeString(`\x` + hex.EncodeToString(v))
	case json.Marshaler, encoding.TextMarshaler:
		return encodeDocument(p)
	case json.Number:
		if !json.Valid([]byte(v)) || v == "" || v[0] != '-' && (v[0] < '0' || v[0] > '9') {
			return nil, "a json.Number that is no number"
		}
		return json.RawMessage(v), ""
	}
	return encodeOther(reflect.ValueOf(p))
}

// encodeOther encodes the types that are known by their underlying type.
func encodeOther(v reflect.Value) (json.RawMessage, string) {
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(nil, v.Int(), 10), ""
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if v.Uint() > math.MaxInt64 {
			return nil, "an integer above the range of BIGINT"
		}
		return strconv.AppendUint(nil, v.Uint(), 10), ""
	case reflect.Float32, reflect.Float64:
		return encodeFloat(v.Float(), 64)
	case reflect.Bool:
		return strconv.AppendBool(nil, v.Bool()), ""
	case reflect.String:
		return encodeString(v.String())
	case reflect.Pointer:
		if v.IsNil() {
			return json.RawMessage("null"), ""
		}
		return encodeParam(v.Elem().Interface())
	case reflect.Slice, reflect.Array:
		return encodeList(v)
	case reflect.Map, reflect.Struct:
		return encodeDocument(v.Interface())
	}
	return nil, "a " + v.Type().String() + " cannot be sent"
}

// encodeList encodes the elements as parameters are, so that times and bytes mean the same in a list.
func encodeList(v reflect.Value) (json.RawMessage, string) {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return json.RawMessage("null"), ""
	}
	list := json.RawMessage("[")
	for i := range v.Len() {
		cell, problem := encodeParam(v.Index(i).Interface())
		if problem != "" {
			return nil, "element " + strconv.Itoa(i) + ": " + problem
		}
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, cell...)
	}
	return append(list, ']'), ""
}

// encodeDocument encodes what encoding/json knows how to write.
func encodeDocument(p any) (json.RawMessage, string) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil, err.Error()
	}
	return bytes.TrimSpace(b.Bytes()), ""
}

func encodeString(s string) (json.RawMessage, string) {
	if !utf8.ValidString(s) {
		return nil, "a string that is not valid UTF-8"
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err.Error()
	}
	return b, ""
}

// encodeFloat keeps a point or exponent, so that the server reads a DOUBLE.
func encodeFloat(f float64, bits int) (json.RawMessage, string) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, strconv.FormatFloat(f, 'g', -1, 64) + " has no JSON form"
	}
	s := strconv.FormatFloat(f, 'g', -1, bits)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return json.RawMessage(s), ""
}
