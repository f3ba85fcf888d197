// Package settings has what SET, SHOW and RESET change of a session: the settings, what texts they take, and how they
// are shown.
//
// # Basics
//
// Settings are a value: a session copies them, changes the copy by a Setting of All, and puts it into force whole. What
// a text names, a namespace or a time zone, is found by a Finder.
package settings
