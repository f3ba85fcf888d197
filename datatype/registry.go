package datatype

import "github.com/kalamlake/kalam"

// init fills the tables: functions of the descriptors refer to them.
func init() {
	for i := range tagSizes {
		tagSizes[i] = sizeInvalid
	}
	tagSizes[tagNull] = 0
	types[kalam.KindNull] = nullType
	for id, k := range nearest {
		arrowKinds[id] = k
	}
	for _, d := range []*descriptor{
		&booleanType, &smallIntType, &intType, &bigIntType, &floatType, &doubleType, &decimalType, &textType,
		&timestampType, &dateTimeType, &dateType, &timeType, &jsonType, &bytesType, &uuidType,
	} {
		types[d.kind] = *d
		tagSizes[d.kind] = d.size
		if d.kind != kalam.KindJSON { // Its field is marked: it has the Arrow type of TEXT.
			arrowKinds[d.arrow(kalam.TypeOf(d.kind)).ID()] = d.kind
		}
	}
}
