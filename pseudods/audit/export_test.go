package audit

// BufferSize is how much of a file is read at a time.
const BufferSize = bufferSize

// Longest is the size of the longest pattern.
func (s *Scanner) Longest() int { return s.longest }
