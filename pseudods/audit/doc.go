// Package audit looks for what must not be seen in what a service leaves behind:
// the files of its stores, the records in them, its logs and its metrics.
//
// Say what there is to find as [Needle]s, each of a [Kind], make a [Scanner] of
// them, and give one [Report] for each place all that is in it:
//
//	scanner, err := audit.New(needles)
//	ds, qs := scanner.Report("ds"), scanner.Report("qs")
//	err = ds.Stores(ctx, "data/ds")          // files, and the databases among them
//	err = qs.Stores(ctx, "data/qs")
//	err = qs.Lines(ctx, log)                 // one record a line
//	err = audit.WriteTable(w, ds, qs)
//
// A report says how many needles of which kind stand in that place and how often,
// and which kinds stand together in one record: that is what links them. It holds
// numbers and names of kinds, no needle.
//
// A needle is found as it is, in hexadecimal digits of both cases, in base64 of
// both alphabets at every alignment, as a list of decimal numbers and as a quoted
// string, as Go prints octets, back to front, and by the first 16 octets of its
// SHA-256, in the first three ways. It is not found in what is encrypted,
// compressed, or hashed with anything else, nor base64 with line breaks. The
// engine's tables leave out what a key shares with the key before; that is why
// records are looked at too.
//
// Memory is bounded by the needles and one buffer, time by octets read.
package audit
