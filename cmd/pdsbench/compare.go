package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/pseudods/pseudods/bench/report"
	"github.com/pseudods/pseudods/internal/command"
)

// compare says what changed between two sets of results.
func compare(args []string, stdout, stderr io.Writer) error {
	f := command.NewFlags("compare", stderr)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: pdsbench compare [flags] before.json[,again.json...] after.json[,...]")
		f.PrintDefaults()
	}
	all := f.Bool("all", false, "show figures without a sure change too")
	if err := f.Read(args, 2); err != nil {
		return err
	}
	var sides [2][]report.Result
	for i := range sides {
		for _, path := range strings.Split(f.Arg(i), ",") {
			file, err := report.ReadFile(path)
			if err != nil {
				return err
			}
			sides[i] = append(sides[i], file.Results...)
		}
	}
	return report.WriteChanges(stdout, report.Compare(sides[0], sides[1]), *all)
}
