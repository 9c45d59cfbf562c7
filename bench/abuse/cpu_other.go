//go:build !unix

package abuse

import "time"

// processor is not known where the standard library cannot ask.
func processor() time.Duration { return 0 }
