package query

func SetStream(b bool) { streamX = b }
