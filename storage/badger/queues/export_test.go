package queues

// records maps names to empty records, for the tests of the parsers.
var records = map[string]func() record{
	"queue":      func() record { return new(queueRecord) },
	"head":       func() record { return new(head) },
	"page":       func() record { return new(page) },
	"segment":    func() record { return new(segment) },
	"mark":       func() record { return new(mark) },
	"references": func() record { return new(references) },
	"pool":       func() record { return new(pool) },
	"KeyPackage": func() record { return new(keyPackage) },
}

// Reparse parses a record and encodes it again.
func Reparse(name string, b []byte) ([]byte, error) {
	v := records[name]()
	if err := unmarshal(b, v); err != nil {
		return nil, err
	}
	return marshal(v), nil
}
