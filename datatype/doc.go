// Package datatype is the one place where values change form: SQL text, JSON
// parameters, the row and key encodings of the write buffer, Arrow arrays and
// the JSON cells of the wire. A kind of value exists in kalam exactly when every
// conversion here has a case for it, which a test checks.
//
// # Basics
//
// FromText, FromNumber, FromBool and Cast turn input into a kalam.Value of a
// column's type and refuse what does not fit. EncodeRow and DecodeRow are the
// row format (docs/architecture/row-format.md), EncodeKey the primary key whose
// byte order is the order of the keys. BatchBuilder turns stored rows into Arrow
// record batches, ValueAt reads one cell of any Arrow array, and AppendCell
// writes it as JSON.
//
// # Guarantees
//
// No conversion loses information silently, with four exceptions that SQL users
// expect: digits beyond the scale of a DECIMAL are rounded half away from zero,
// digits beyond the microsecond are dropped, a number becomes the nearest
// FLOAT or DOUBLE, and a TIMESTAMP assigned to a DATE or TIME keeps that part.
// Everything else is an *kalam.Error with CodeConstraint, made before anything is
// written. Stored bytes are never trusted: a damaged row is CodeCorrupt, not a
// panic. Every cell of every Arrow type has a JSON form.
//
// # Caveats
//
// Text values that DecodeRow and DecodeColumns return share the memory of the
// payload, which is immutable by contract of kalam.Row. The builders are not safe
// for concurrent use; the functions are.
package datatype
