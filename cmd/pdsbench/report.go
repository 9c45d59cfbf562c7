package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/pseudods/pseudods/bench/report"
	"github.com/pseudods/pseudods/internal/command"
)

// writeReport makes the page and the summary of files of results.
func writeReport(args []string, stdout, stderr io.Writer) error {
	f := command.NewFlags("report", stderr)
	f.Usage = func() {
		fmt.Fprintln(stderr, "usage: pdsbench report [flags] results.json...")
		f.PrintDefaults()
	}
	page := f.String("html", "", "`file` for the page")
	summary := f.String("summary", "", "`file` for the summary in Markdown; default: standard output, if there is no page")
	tables := f.String("tables", "", "Markdown `file` whose tables are to be filled in, see bench/report")
	brief := f.String("brief", "", "Markdown `file` that quotes a few results, to be written anew, see bench/report")
	switch err := f.Read(args, -1); {
	case err != nil:
		return err
	case f.NArg() == 0:
		f.Usage()
		return command.ErrUsage
	}
	var files []*report.File
	for _, path := range f.Args() {
		file, err := report.ReadFile(path)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	if *tables != "" {
		if err := fill(*tables, files, report.FillTables); err != nil {
			return err
		}
	}
	if *brief != "" {
		if err := fill(*brief, files, report.FillBrief); err != nil {
			return err
		}
	}
	if *page != "" {
		if err := write(*page, func(w io.Writer) error { return report.Page(w, files) }); err != nil {
			return err
		}
	}
	switch {
	case *summary != "":
		return write(*summary, func(w io.Writer) error { return report.Summary(w, files) })
	case *page == "" && *tables == "" && *brief == "":
		return report.Summary(stdout, files)
	}
	return nil
}

// fill writes the results in a document anew.
func fill(path string, files []*report.File, by func(string, []report.Result) (string, error)) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var results []report.Result
	for _, file := range files {
		results = append(results, file.Results...)
	}
	filled, err := by(string(document), results)
	if err != nil || filled == string(document) {
		return err
	}
	return write(path, func(w io.Writer) error { _, err := io.WriteString(w, filled); return err })
}

// write makes a file of what is written in the end, or none.
func write(path string, to func(io.Writer) error) error {
	var b bytes.Buffer
	if err := to(&b); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
