// Package placeholders renumbers the placeholders of fragments of a statement that are put together into one query.
package placeholders
