// Package arrays lets a placeholder stand for a JSON array: it writes the elements of the array, as placeholders of
// their own, where the placeholder stood. So each element is read as the type of what it meets, as if it had been
// written there, and prunes files as such a value does. Safe for concurrent use; nothing is kept.
package arrays
