package identity

import "errors"

// Why credentials are refused. Callers tell both to users in the same words.
var (
	ErrExpired = errors.New("the token has expired")
	ErrInvalid = errors.New("invalid credentials")
)
