// Package openapi holds the description of the HTTP interface in the format OpenAPI 3.1: openapi.json, which is kept by
// hand. The tests of package api hold it to the server: every route is in it and every path of it is a route, and what
// thousands of generated requests are answered is what it says.
package openapi

import (
	"bytes"
	_ "embed"
)

//go:embed openapi.json
var document []byte

// Document returns the description of a server whose REST paths have the prefix version, which is the value of
// server.api_version, a plain segment of a path. The bytes are the caller's.
func Document(version string) []byte {
	return bytes.ReplaceAll(document, []byte(`"/v1/`), []byte(`"/`+version+`/`))
}
