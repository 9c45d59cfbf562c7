// Package report turns files of measured results into a page and a summary, and
// compares two sets of them.
//
// A file is a JSON list of objects, as "pdsbench perf", "link" and "abuse"
// write it. The members name, value and unit are required; ci_low and ci_high are an
// interval of 95 %, at_least marks a value as a bound, baseline and ratio compare
// it with another design; commit, go, cpu, cores, date, seed and command say where
// it comes from. All other members, and those of parameters, are parameters; zero
// members and payload_bytes mean "does not matter" and are none. So results of
// programs that are not written yet have a place on the page as well. Results with
// parameters scenario and defence, one for each pair, are shown as a matrix.
//
// [Page] writes one HTML file that needs nothing else: no script, no network, the
// plots are SVG inside of it. [Summary] writes the headlines as Markdown,
// [FillTables] and [FillBrief] write tables in documents anew, and
// [Compare] says what changed between two sets and how sure that is.
package report
