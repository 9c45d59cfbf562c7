package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/pseudods/pseudods/bench/report"
)

// writeReport makes the page and the summary of files of results.
func writeReport(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("report", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: pdsbench report [flags] results.json...")
		f.PrintDefaults()
	}
	page := f.String("html", "", "`file` for the page")
	summary := f.String("summary", "", "`file` for the summary in Markdown; default: standard output, if there is no page")
	switch err := f.Parse(args); {
	case err == flag.ErrHelp:
		return err
	case err != nil:
		return errUsage
	case f.NArg() == 0:
		f.Usage()
		return errUsage
	}
	var files []*report.File
	for _, path := range f.Args() {
		file, err := report.ReadFile(path)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	if *page != "" {
		if err := write(*page, func(w io.Writer) error { return report.Page(w, files) }); err != nil {
			return err
		}
	}
	switch {
	case *summary != "":
		return write(*summary, func(w io.Writer) error { return report.Summary(w, files) })
	case *page == "":
		return report.Summary(stdout, files)
	}
	return nil
}

// write makes a file, or leaves none that is not whole.
func write(path string, to func(io.Writer) error) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := to(out); err != nil {
		out.Close()
		os.Remove(path)
		return err
	}
	return out.Close()
}
