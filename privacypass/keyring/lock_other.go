//go:build !unix

package keyring

// lock does nothing where advisory file locks are not available. There a
// directory must not be changed by two programs at once.
func (d directory) lock() (unlock func() error, err error) {
	return func() error { return nil }, nil
}
