package catalog

import (
	"errors"
	"strings"
	"unicode"

	"github.com/kalamlake/kalam"
)

// Limits of a password, in bytes. bcrypt reads no more than 72.
const (
	MinPassword = 8
	MaxPassword = 72
)

// ErrWeakPassword is in the chain of every error of CheckPassword.
var ErrWeakPassword = errors.New("weak password")

// commonPasswords are refused whatever their case.
var commonPasswords = map[string]bool{
	"password": true, "password1": true, "password12": true, "password123": true, "passw0rd": true, "p@ssw0rd": true,
	"123456": true, "12345678": true, "123456789": true, "1234567890": true, "0123456789": true, "87654321": true,
	"qwerty": true, "qwerty123": true, "qwertyuiop": true, "1q2w3e4r": true, "1qaz2wsx": true, "abc12345": true,
	"abcd1234": true, "11111111": true, "00000000": true, "iloveyou": true, "sunshine": true, "princess": true,
	"football": true, "baseball": true, "superman": true, "trustno1": true, "welcome1": true, "letmein1": true,
	"admin123": true, "administrator": true, "changeme": true, "change_me": true, "rootroot": true, "kalamdb1": true,
}

// CheckPassword says why a password is refused: shorter than 8 or longer than 72
// bytes, or a common one; with complexity also when it lacks an upper-case or
// lower-case letter, a digit or another character. The error has
// CodeInvalidInput and ErrWeakPassword in its chain, and never the password.
func CheckPassword(password string, complexity bool) error {
	switch {
	case len(password) < MinPassword:
		return weak("password is shorter than %d bytes", MinPassword)
	case len(password) > MaxPassword:
		return weak("password is longer than %d bytes", MaxPassword)
	case commonPasswords[strings.ToLower(password)]:
		return weak("password is too common")
	}
	if !complexity {
		return nil
	}
	var upper, lower, digit, other bool
	for _, r := range password {
		switch {
		case unicode.IsUpper(r):
			upper = true
		case unicode.IsLower(r):
			lower = true
		case unicode.IsDigit(r):
			digit = true
		default:
			other = true
		}
	}
	if !upper || !lower || !digit || !other {
		return weak("password needs an upper-case letter, a lower-case letter, a digit and a special character")
	}
	return nil
}

func weak(format string, args ...any) error {
	return kalam.Wrap(kalam.CodeInvalidInput, ErrWeakPassword, format, args...)
}

// checkHashable refuses what cannot be a password under any policy.
func checkHashable(password string) error {
	switch {
	case password == "":
		return weak("password is empty")
	case len(password) > MaxPassword:
		return weak("password is longer than %d bytes", MaxPassword)
	}
	return nil
}
