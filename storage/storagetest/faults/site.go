package faults

import "io"

// Site is where one store keeps its data. At most one store of a site is open at
// a time, and no method is called while calls to it are under way.
type Site[S io.Closer] interface {
	// Open opens the store on what the site has.
	Open() (S, error)
	// Crash ends the open store as a kill would. The next Open finds what the
	// store had handed to the operating system.
	Crash() error
	// Steps is the number of steps at which a write can fail.
	Steps() int
	// Fail makes the open store fail when it next reaches the step, and then for
	// good.
	Fail(step int)
}

// Write is one write to a store. The functions are given a number that no other
// use of the store has, for the names of what they touch.
type Write[S any] struct {
	Name string
	// Prepare makes what the write needs. May be nil.
	Prepare func(store S, n byte) error
	// Do writes. Done again after it succeeded it must succeed and change
	// nothing: if the store's method refuses a repetition, Do finds out first
	// what became of the call before, as a client would.
	Do func(store S, n byte) error
	// Show describes all that Do may change.
	Show func(store S, n byte) (string, error)
}
