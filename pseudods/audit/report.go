package audit

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/badger"
)

// Report is what was found in one place. It is not safe for concurrent use.
type Report struct {
	Name    string
	Files   Size // that were read as they are
	Records Size // of databases, and lines
	// StorageKey is that of encrypted databases, zero if they are in clear.
	StorageKey secret.Bytes

	scanner  *Scanner
	hits     map[int]*[forms]Hits // by needle
	together map[kinds]uint64
	dropped  uint64 // records whose kinds are one combination too many
}

// Size is how many things there were, and of how many octets.
type Size struct{ Number, Octets uint64 }

// Hits count the places where something stands.
type Hits struct{ Files, Records uint64 }

// kinds is a set of kinds that stand in one record, and of those of which
// several different needles do.
type kinds struct{ any, several uint64 }

// maxTogether is how many different sets of kinds are counted.
const maxTogether = 4096

// Report begins a report on a place.
func (s *Scanner) Report(name string) *Report {
	return &Report{Name: name, scanner: s, hits: map[int]*[forms]Hits{}, together: map[kinds]uint64{}}
}

func (r *Report) hit(p *pattern) *Hits {
	h := r.hits[p.needle]
	if h == nil {
		h = new([forms]Hits)
		r.hits[p.needle] = h
	}
	return &h[p.form]
}

// Stores looks through all files at or below the roots, and through all that the
// databases among them hold, which must be closed. Another key than theirs is
// [badger.ErrEncryption].
func (r *Report) Stores(ctx context.Context, roots ...string) error {
	for _, root := range roots {
		if err := r.Tree(ctx, root); err != nil {
			return err
		}
		databases, err := badger.Databases(root)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		for _, dir := range databases {
			err := badger.Walk(ctx, dir, r.StorageKey, func(key, value []byte) error {
				r.Record(key, value)
				return nil
			})
			if err != nil {
				return fmt.Errorf("audit: %w", err)
			}
		}
	}
	return nil
}

// Tree looks through all regular files at or below root, as they are.
func (r *Report) Tree(ctx context.Context, root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		return errors.Join(r.File(ctx, f), f.Close())
	})
}

// bufferSize is how much of a file is read at a time.
const bufferSize = 1 << 20

// File looks through one file, or anything that is like one, to its end.
func (r *Report) File(ctx context.Context, in io.Reader) error {
	r.Files.Number++
	buffer := make([]byte, bufferSize+r.scanner.longest)
	kept := 0 // octets in front that were there before, in case a needle began in them
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.ReadFull(in, buffer[kept:])
		r.Files.Octets += uint64(n)
		data := buffer[:kept+n]
		r.scanner.scan(data, kept, func(p *pattern) { r.hit(p).Files++ })
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("audit: reading: %w", err)
		}
		kept = copy(buffer, data[max(0, len(data)-r.scanner.longest+1):])
	}
}

// Record looks through one record. What stands in any of its parts stands
// together; nothing is found across two parts.
func (r *Report) Record(parts ...[]byte) {
	r.Records.Number++
	var set kinds
	var first map[int]int // of each kind in the record, one needle
	for _, part := range parts {
		r.Records.Octets += uint64(len(part))
		r.scanner.scan(part, 0, func(p *pattern) {
			r.hit(p).Records++
			kind := r.scanner.needles[p.needle]
			if was, ok := first[kind]; !ok {
				if first == nil {
					first = map[int]int{}
				}
				first[kind] = p.needle
			} else if was != p.needle {
				set.several |= 1 << kind
			}
			set.any |= 1 << kind
		})
	}
	if set.any == 0 {
		return
	}
	if _, ok := r.together[set]; !ok && len(r.together) == maxTogether {
		r.dropped++
		return
	}
	r.together[set]++
}

// maxLine is where a longer line is taken for two.
const maxLine = 1 << 20

// Lines looks through a text, such as a log or metrics, each line of which is a
// record.
func (r *Report) Lines(ctx context.Context, in io.Reader) error {
	lines := bufio.NewReaderSize(in, maxLine)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, err := lines.ReadSlice('\n')
		if len(line) > 0 {
			r.Record(line)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("audit: reading: %w", err)
		}
	}
}

// Found returns how many different needles of a kind were found in whatever
// form, and how often.
func (r *Report) Found(kind Kind) (needles int, hits Hits) {
	for needle, byForm := range r.hits {
		if r.scanner.kinds[r.scanner.needles[needle]] != kind {
			continue
		}
		needles++
		for _, h := range byForm {
			hits.Files, hits.Records = hits.Files+h.Files, hits.Records+h.Records
		}
	}
	return needles, hits
}

// Forms returns in which forms needles of a kind were found, and how often.
func (r *Report) Forms(kind Kind) map[Form]Hits {
	out := map[Form]Hits{}
	for needle, byForm := range r.hits {
		if r.scanner.kinds[r.scanner.needles[needle]] != kind {
			continue
		}
		for f, h := range byForm {
			if h != (Hits{}) {
				was := out[Form(f)]
				out[Form(f)] = Hits{was.Files + h.Files, was.Records + h.Records}
			}
		}
	}
	return out
}

// Together is a set of kinds that stand in one record, and in how many.
type Together struct {
	Kinds   []Kind // in the order in which the scanner got to know them
	Several []Kind // those of them of which different needles do
	Records uint64
}

// Together returns the sets of kinds of which at least two stand in one record,
// or several needles of one kind do; the most frequent first.
func (r *Report) Together() (out []Together) {
	for set, n := range r.together {
		t := Together{Kinds: r.scanner.named(set.any), Several: r.scanner.named(set.several), Records: n}
		if len(t.Kinds) > 1 || len(t.Several) > 0 {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b Together) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), slices.Compare(a.Kinds, b.Kinds), slices.Compare(a.Several, b.Several))
	})
	return out
}

// Linked returns in how many records a needle of kind a stands beside one of
// kind b; if they are the same kind, beside another of it.
func (r *Report) Linked(a, b Kind) (records uint64) {
	for set, n := range r.together {
		both := set.any
		if a == b {
			both = set.several
		}
		names := r.scanner.named(both)
		if slices.Contains(names, a) && slices.Contains(names, b) {
			records += n
		}
	}
	return records
}

// named returns the names of a set of kinds.
func (s *Scanner) named(set uint64) (out []Kind) {
	for i, k := range s.kinds {
		if set&(1<<i) != 0 {
			out = append(out, k)
		}
	}
	return out
}

// Shared returns how many needles of each kind stand in more than one of the
// places, which are thereby linked. The reports must be one scanner's.
func Shared(reports ...*Report) map[Kind]int {
	places := map[int]int{}
	for _, r := range reports {
		for needle := range r.hits {
			places[needle]++
		}
	}
	out := map[Kind]int{}
	for needle, n := range places {
		if n > 1 {
			s := reports[0].scanner
			out[s.kinds[s.needles[needle]]]++
		}
	}
	return out
}
