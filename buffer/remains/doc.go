// Package remains finds what a backend still has of a user, whether or not a table of it is known.
// It needs no Store, and changes nothing.
package remains
