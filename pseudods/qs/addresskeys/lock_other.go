//go:build !unix

package addresskeys

// lock does nothing where advisory file locks are not available. There a
// directory must not be changed by two processes at once.
func (r *Ring) lock() (unlock func() error, err error) {
	return func() error { return nil }, nil
}
