package badger

// syncFolder does nothing: names are durable with their files here.
func syncFolder(string) error { return nil }
