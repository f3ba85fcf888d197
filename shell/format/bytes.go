package format

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Values of Printer.Bytes.
const (
	BytesText = "text" // As text where all of them are one that can be shown, else as hex digits.
	BytesHex  = "hex"
)

// bytesPrefix is what stands before hex digits.
const bytesPrefix = `\x`

// bytesText returns the text that bytes, given as \x and hex digits, are; what is none stays, and so does what would
// read like hex digits.
func bytesText(digits string) string {
	b, err := hex.DecodeString(strings.TrimPrefix(digits, bytesPrefix))
	text := string(b)
	if err != nil || text == "" || !utf8.ValidString(text) || strings.ContainsFunc(text, IsControl) ||
		strings.HasPrefix(text, bytesPrefix) {
		return digits
	}
	return text
}
