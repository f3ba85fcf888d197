package s3

// Waiting returns how many callers wait for a download of the object at p.
func Waiting(s *Storage, p string) int {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	n := 0
	for _, f := range s.cache.flights {
		if f.id == s.cache.idOf(p) {
			n += f.waiting
		}
	}
	return n
}

// Used returns the bytes that the cache counts.
func Used(s *Storage) int64 {
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	return s.cache.used
}
