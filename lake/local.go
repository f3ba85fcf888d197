package lake

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/kalamlake/kalam"
)

// localError explains an error of a local temporary file without its absolute
// name.
func localError(what string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	if IsNoSpace(err) {
		return kalam.Wrap(kalam.CodeResourceExhausted, err, "%s: no space left on the storage", what)
	}
	return fmt.Errorf("%s: %w", what, err)
}
