package session

import (
	"errors"
	"strings"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/buffer"
)

// maxMessage is the longest message that a user is shown: names and values in
// it may be of any length.
const maxMessage = 1000

// brief returns err with its message cut to maxMessage.
func brief(err error) error {
	var ke *kalam.Error
	if !errors.As(err, &ke) || len(ke.Msg) <= maxMessage {
		return err
	}
	short := *ke
	short.Msg = strings.ToValidUTF8(ke.Msg[:maxMessage], "") + "..."
	return &short
}

// located returns err with its position moved from the statement to the
// request's text, in which the statement begins at offset.
func located(err error, offset int) error {
	var ke *kalam.Error
	if offset == 0 || !errors.As(err, &ke) || ke.Position == 0 {
		return err
	}
	moved := *ke
	moved.Position += offset
	return &moved
}

func asDuplicate(err error, dup **buffer.DuplicateKeyError) bool { return errors.As(err, dup) }
