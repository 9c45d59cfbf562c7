// Command pdsbench measures the services of this repository and writes reports.
package main

import (
	"io"
	"os"

	"github.com/pseudods/pseudods/internal/command"
)

var commands = []command.Command{
	{Name: "perf", Summary: "measure throughput, latency and cost of the whole server path", Run: perf},
	{Name: "link", Summary: "measure how well times and sizes link queues", Run: links},
	{Name: "abuse", Summary: "play scenarios of abuse under a matrix of defences", Run: abuses},
	{Name: "crash", Summary: "kill servers and clients, and audit what clients were told", Run: crashes},
	{Name: "report", Summary: "make a page and a summary of results", Run: writeReport},
	{Name: "compare", Summary: "say what changed between two sets of results", Run: compare},
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	return command.Run("pdsbench", commands, args, stdout, stderr)
}
