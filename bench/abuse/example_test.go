package abuse_test

import (
	"context"
	"fmt"
	"time"

	"github.com/pseudods/pseudods/bench/abuse"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// begin of the example in docs/research.md

// poolLimit lets a pool hand out few KeyPackages in an hour, whoever asks for them.
type poolLimit struct {
	hour  time.Time
	taken map[[16]byte]int // by pool
}

func (*poolLimit) Traits() abuse.Traits { return abuse.Traits{Limits: true} }

func (d *poolLimit) Judge(r *abuse.Request) abuse.Verdict {
	const most = 16
	if r.Operation != wire.OpConnectionPackages {
		return abuse.Verdict{}
	}
	if hour := r.Now.Truncate(time.Hour); hour != d.hour {
		d.hour, d.taken = hour, map[[16]byte]int{}
	}
	if d.taken[r.Object] == most {
		return abuse.Verdict{Refuse: true, RetryAfter: d.hour.Add(time.Hour).Sub(r.Now)}
	}
	d.taken[r.Object]++
	return abuse.Verdict{}
}

func (*poolLimit) Kept() int { return 0 }

// end of the example in docs/research.md

// A defence of one's own beside none. It spares the pool, and serves the attacker all
// the better: who comes first takes what the hour has, and nobody else gets any.
func Example() {
	before := abuse.Defences
	defer func() { abuse.Defences = before }()
	abuse.Defences = append(abuse.Defences, abuse.Kind{Name: "pool", Summary: "limit per pool and hour", New: func() abuse.Defence { return &poolLimit{} }})
	cells, err := abuse.Run(context.Background(), abuse.Options{Only: []string{"keypackage-drain"}, Defences: []string{"none", "pool"}, Quick: true, Seed: 1})
	if err != nil {
		fmt.Println(err)
	}
	for _, c := range cells {
		fmt.Printf("%s: %d KeyPackages taken; honest users lost %d of %d\n", c.Defence, c.Attack.Effects, c.Attack.Lost, c.Attack.Wanted)
	}
	// Output:
	// none: 91 KeyPackages taken; honest users lost 17 of 22
	// pool: 32 KeyPackages taken; honest users lost 22 of 22
}
