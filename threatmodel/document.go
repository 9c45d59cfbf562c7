package threatmodel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// parts are what [Document] puts in place of a marker line of the template.
var parts = map[string]func() string{
	"summary":     summary,
	"assets":      assetTable,
	"adversaries": adversaryTable,
	"invariants":  invariantList,
	"mitigations": mitigationTable,
	"index":       scenarioIndex,
	"scenarios":   scenarioList,
}

// Document fills the lists of this package into a template: a line of the form
// <!-- list: name --> is replaced with that list. Every list must be named once.
// The first line of the result says that it is generated.
func Document(template string) (string, error) {
	var out strings.Builder
	out.WriteString("<!-- Generated from threatmodel/template.md and the lists of package threatmodel; see doc.go. Do not edit. -->\n\n")
	seen := map[string]bool{}
	for line := range strings.Lines(template) {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "<!-- list: ")
		if !ok {
			out.WriteString(line)
			continue
		}
		name = strings.TrimSuffix(name, " -->")
		part := parts[name]
		if part == nil || seen[name] {
			return "", fmt.Errorf("threatmodel: the template names list %q, which is unknown or there already", name)
		}
		seen[name] = true
		out.WriteString(strings.TrimRight(part(), "\n") + "\n")
	}
	if len(seen) != len(parts) {
		return "", fmt.Errorf("threatmodel: the template names %d lists of %d", len(seen), len(parts))
	}
	return out.String(), nil
}

func summary() string {
	all := Scenarios()
	count := map[Status]int{}
	untested := 0
	for _, s := range all {
		count[s.Status]++
		if len(s.Tests) == 0 {
			untested++
		}
	}
	return fmt.Sprintf("Of %d scenarios %d are prevented, %d limited, %d detected, and %d open. %d name no test and say why.",
		len(all), count[Prevented], count[Limited], count[Detected], count[Open], untested)
}

func assetTable() string {
	var b strings.Builder
	b.WriteString("| asset | harm |\n| --- | --- |\n")
	for _, a := range Assets {
		fmt.Fprintf(&b, "| %s | %s |\n", a.Name, a.Harm)
	}
	return b.String()
}

func adversaryTable() string {
	var b strings.Builder
	b.WriteString("| adversary | can | cannot |\n| --- | --- | --- |\n")
	for _, a := range Adversaries {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", a.Name, a.Can, a.Cannot)
	}
	return b.String()
}

func invariantList() string {
	var b strings.Builder
	for _, i := range Invariants {
		fmt.Fprintf(&b, "- **%s** %s", i.ID, i.Rule)
		if i.Limits != "" {
			fmt.Fprintf(&b, " *Limits:* %s", i.Limits)
		}
		fmt.Fprintf(&b, " *Tests:* %s.\n", testList(i.Tests))
	}
	return b.String()
}

func mitigationTable() string {
	var b strings.Builder
	b.WriteString("| | mitigation | what it is | its price |\n| --- | --- | --- | --- |\n")
	for _, m := range Mitigations {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", m.ID, m.Name, m.What, m.Price)
	}
	return b.String()
}

func scenarioIndex() string {
	all := Scenarios()
	slices.SortFunc(all, func(a, b Scenario) int { return cmp.Compare(a.ID, b.ID) })
	var b strings.Builder
	b.WriteString("| | scenario | status | tests |\n| --- | --- | --- | ---: |\n")
	for _, s := range all {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %d |\n", s.ID, strings.ToLower(s.ID), s.Title, s.Status, len(s.Tests))
	}
	return b.String()
}

func scenarioList() string {
	var b strings.Builder
	for n, theme := range Themes {
		fmt.Fprintf(&b, "### 9.%d %s\n\n", n+1, theme.Title)
		for _, s := range theme.Scenarios {
			s.write(&b)
		}
	}
	return b.String()
}

func (s *Scenario) write(b *strings.Builder) {
	fmt.Fprintf(b, "<a id=\"%s\"></a>\n#### %s %s\n\n", strings.ToLower(s.ID), s.ID, s.Title)
	fmt.Fprintf(b, "*%s.* Adversaries: %s. Assets: %s. Source: %s.\n\n", capital(s.Status.String()), list(s.Adversaries), list(s.Assets), list(s.Sources))
	fmt.Fprintf(b, "- Attack: %s\n- Defence: %s", s.Attack, s.Defence)
	if ids := append(texts(s.Mitigations), texts(s.Invariants)...); len(ids) > 0 {
		fmt.Fprintf(b, " (%s)", strings.Join(ids, ", "))
	}
	fmt.Fprintf(b, "\n- Residual risk: %s\n", s.Residual)
	if len(s.Tests) > 0 {
		fmt.Fprintf(b, "- Shown by %s.\n", testList(s.Tests))
	}
	if s.NoTest != "" {
		fmt.Fprintf(b, "- Not tested: %s\n", s.NoTest)
	}
	if len(s.Executable) > 0 {
		fmt.Fprintf(b, "- Measured by `pdsbench abuse --only %s`.\n", strings.Join(s.Executable, ","))
	}
	b.WriteString("\n")
}

// testList lists tests by package.
func testList(tests []TestID) string {
	var out []string
	for i := 0; i < len(tests); {
		pkg := tests[i].Package
		var names []string
		for ; i < len(tests) && tests[i].Package == pkg; i++ {
			names = append(names, tests[i].Name)
		}
		out = append(out, fmt.Sprintf("`%s`: %s", pkg, strings.Join(names, ", ")))
	}
	return strings.Join(out, "; ")
}

func texts[T ~string](of []T) []string {
	var out []string
	for _, t := range of {
		out = append(out, string(t))
	}
	return out
}

func list[T ~string](of []T) string { return strings.Join(texts(of), ", ") }

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
