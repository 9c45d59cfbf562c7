package link

import "github.com/pseudods/pseudods/bench/link/snapshot"

// snapshots plays providers and links what copies of their stores show.
func snapshots(e *env) error {
	c := either(e, snapshot.Config{Worlds: 1, Users: 12, Groups: 10, Before: 48, Last: 24},
		snapshot.Config{Worlds: 4, Users: 16, Groups: 14, Before: 100, Last: 30})
	c.Seed = e.Seed
	results, err := snapshot.Run(e.ctx, e.Dir, c)
	if err != nil {
		return err
	}
	for _, r := range results {
		parameters := map[string]any{"target": r.Target, "feature": string(r.Feature), "stores": string(r.Stores), "state": r.State, "trials": r.Things}
		emit := func(name string, s snapshot.Score) {
			e.emit(Figure{Name: name, Parameters: parameters, Unit: "advantage over guessing", Value: s.Value, CILow: s.Low, CIHigh: s.High})
		}
		if r.Planted {
			emit("snapshot_control", r.Advantage)
			continue
		}
		emit("snapshot_advantage", r.Advantage)
		emit("snapshot_first_guess", r.First)
	}
	return nil
}
