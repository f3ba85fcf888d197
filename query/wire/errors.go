package wire

import (
	"errors"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/query/duckerr"
)

// Error reads an error.
func (r *Reader) Error() error {
	switch r.Byte() {
	case kalamError:
		e := &kalam.Error{Code: kalam.Code(r.Uint()), Msg: r.Text(), Position: int(r.Uint())}
		if cause := r.Text(); cause != "" {
			e.Err = errors.New(cause)
		}
		return e
	case duckError:
		t := r.Texts()
		if len(t) != 5 {
			return kalam.Errorf(kalam.CodeInternal, "an error of a query worker is damaged")
		}
		return &duckerr.Error{Type: t[0], Message: t[1], Subtype: t[2], Name: t[3], Kind: t[4]}
	}
	return errors.New(r.Text())
}

// Outermost returns the first error in err's chain whose form is kept, else err.
func Outermost(err error) error {
	var de *duckerr.Error
	var ke *kalam.Error
	switch {
	case errors.As(err, &ke):
		return ke
	case errors.As(err, &de):
		return de
	}
	return err
}
