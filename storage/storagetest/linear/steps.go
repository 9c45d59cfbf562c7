package linear

import (
	"errors"
	"fmt"
)

// attempts is how many histories of a step may be too hard to judge in time.
const attempts = 3

// EachStep plays a history with a fault at each of so many steps, and before them one
// without, step -1. Each has a round of its own. One that is undecided proves nothing,
// and another is played in its place, a few times.
func EachStep(steps int, play func(step int, round byte) error) error {
	round := byte(0)
	for step := -1; step < steps; step++ {
		for attempt := 1; ; attempt++ {
			err := play(step, round)
			round++
			if err == nil {
				break
			}
			if attempt == attempts || !errors.Is(err, ErrUndecided) {
				return fmt.Errorf("fault at step %d: %w", step, err)
			}
		}
	}
	return nil
}
