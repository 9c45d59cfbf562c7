// Package faults fails stores at every step of every write and looks at what is
// left. A [Site] says how a store is opened, crashed and made to fail; a [Write]
// is one write with a view of all that it may change. [Run] checks of each write,
// for each step and for a connection that is lost before or after it:
//
//   - it is there as a whole or not at all, and as a whole if it was acknowledged;
//   - the same call again, as a client makes it who does not know, ends well and
//     leaves what one undisturbed call does, also if it fails and is repeated again;
//   - the writes around it are as they were, and another crash changes nothing.
//
// A failure at a step followed by a crash leaves what a kill at that moment does.
package faults
