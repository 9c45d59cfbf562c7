package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/pseudods/pseudods/internal/command"
	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/privacypass/keyring"
)

// keys lists the issuer's keys, rotates them, or shows their calendar. The issuer
// may run meanwhile: it notices within a second.
func keys(args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "list":
			return keysList(args[1:], stdout, stderr)
		case "rotate":
			return keysRotate(args[1:], stdout, stderr)
		case "calendar":
			return keysCalendar(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintln(stderr, "usage: ppissuer keys list|rotate|calendar [flags]")
	return command.ErrUsage
}

// ring opens the keys of the issuer that the flags name.
func (f *flags) ring() (*keyring.Ring, []keyring.Slot, error) {
	c, err := f.load()
	if err != nil {
		return nil, nil, err
	}
	data, err := daemon.OpenDir(c.Data)
	if err != nil {
		return nil, nil, err
	}
	slots, err := c.Slots()
	if err != nil {
		return nil, nil, err
	}
	ring, err := c.OpenRing(data)
	return ring, slots, err
}

func keysList(args []string, stdout, stderr io.Writer) error {
	f := newFlags("keys list", stderr).withConfig()
	if err := f.Read(args, 0); err != nil {
		return err
	}
	ring, slots, err := f.ring()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CLASS\tTYPE\tSTATE\tSTARTS\tRETIRES\tKEY")
	now := time.Now()
	for _, k := range ring.All() {
		retires := "-"
		if at, known := ring.Retires(k); known {
			retires = stamp(at)
		}
		id := k.ID()
		fmt.Fprintf(table, "%s\t%v\t%s\t%s\t%s\t%s\n", k.Class, k.Slot.Type, state(ring, slots, k, now), stamp(k.NotBefore), retires, hex.EncodeToString(id[:]))
	}
	return table.Flush()
}

func state(ring *keyring.Ring, slots []keyring.Slot, k *keyring.Key, now time.Time) string {
	switch {
	case !slices.Contains(slots, k.Slot):
		return "unconfigured"
	case k.NotBefore.After(now):
		return "announced"
	case ring.Live(k.Slot, now)[0].ID() == k.ID():
		return "preferred"
	}
	return "overlap"
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func keysRotate(args []string, stdout, stderr io.Writer) error {
	f := newFlags("keys rotate", stderr).withConfig()
	class := f.String("class", "", "only this `class`")
	typeName := f.String("type", "", "only this token `type`, such as 0x0005")
	all := f.Bool("all", false, "all classes and types")
	now := f.Bool("now", false, "start the new key at once, dropping a key beside the preferred one")
	compromised := f.Bool("compromised", false, "drop all keys at once; their tokens are lost")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	if (*class == "" && *typeName == "") != *all {
		return errors.New("say which keys: -class, -type or both, or -all")
	}
	ring, slots, err := f.ring()
	if err != nil {
		return err
	}
	var only keyring.Slot
	if only.Class = *class; *typeName != "" {
		if only.Type, err = host.ParseType(*typeName); err != nil {
			return err
		}
	}
	how := keyring.Ahead
	switch {
	case *compromised:
		how = keyring.Compromised
	case *now:
		how = keyring.AtOnce
	}
	rotated := 0
	var failures error
	for _, slot := range slots {
		if only.Class != "" && slot.Class != only.Class || only.Type != 0 && slot.Type != only.Type {
			continue
		}
		if err := ring.Rotate(slot, how, time.Now()); err != nil {
			failures = errors.Join(failures, fmt.Errorf("class %s, type %v: %w", slot.Class, slot.Type, err))
			continue
		}
		rotated++
		live := ring.Live(slot, time.Now())
		newest := slices.MaxFunc(live, func(a, b *keyring.Key) int { return a.NotBefore.Compare(b.NotBefore) })
		fmt.Fprintf(stdout, "class %s, type %v: a new key starts %s\n", slot.Class, slot.Type, stamp(newest.NotBefore))
	}
	if rotated == 0 && failures == nil {
		return errors.New("no keys of that class and type are configured")
	}
	return failures
}

func keysCalendar(args []string, stdout, stderr io.Writer) error {
	f := newFlags("keys calendar", stderr).withConfig()
	span := f.Int("days", 100, "how many days ahead")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	ring, slots, err := f.ring()
	if err != nil {
		return err
	}
	now := time.Now()
	until := now.AddDate(0, 0, *span)
	type entry struct {
		keyring.Event
		slot keyring.Slot
	}
	var entries []entry
	for _, slot := range slots {
		var starts []time.Time
		for _, k := range ring.All() {
			if k.Slot == slot {
				starts = append(starts, k.NotBefore)
			}
		}
		for _, e := range ring.Schedule().Calendar(starts, now, until) {
			entries = append(entries, entry{e, slot})
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.At.Compare(b.At) })
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "AT\tCLASS\tTYPE\tKEY THAT STARTS\tEVENT")
	for _, e := range entries {
		fmt.Fprintf(table, "%s\t%s\t%v\t%s\t%s\n", stamp(e.At), e.slot.Class, e.slot.Type, stamp(e.Start), e.What)
	}
	return table.Flush()
}
