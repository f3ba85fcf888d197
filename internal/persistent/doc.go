// Package persistent has an immutable map, for states that many read and few change.
package persistent
