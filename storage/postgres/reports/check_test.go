package reports_test

import (
	"testing"

	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/reports"
)

// TestChecks alters rows of a database, one kind after the other.
func TestChecks(t *testing.T) {
	d := pgtest.New(t, postgres.DutySchema, reports.Schema)
	s := reports.New(d.Open(t))
	for _, err := range []error{
		s.Add(t.Context(), moderation.CaseID{1}, caseOf(1), 9), s.Add(t.Context(), moderation.CaseID{2}, caseOf(2), 9),
		s.Decide(t.Context(), moderation.CaseID{1}, upheld, []byte("verdict")),
		d.Exec("alter table reports.report drop constraint report_check, drop constraint report_check1, drop constraint report_state_check"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	find := func(kind, problem string) []postgres.Finding {
		return []postgres.Finding{{Kind: kind, Problem: problem}}
	}
	d.Damaged(t, reports.Checks, []string{"reports.report", "reports.open_count"},
		pgtest.Damage{Name: "count", SQL: "update reports.open_count set open = 2", Want: find("count", "is not what is counted")},
		pgtest.Damage{Name: "no count", SQL: "delete from reports.open_count", Want: find("count", "is not what is counted")},
		pgtest.Damage{Name: "case", SQL: "update reports.report set commitment = '' where state = 1", Want: find("open case", "does not decode")},
		pgtest.Damage{Name: "sealed", SQL: "update reports.report set sealed = null where state = 1", Want: find("open case", "does not decode")},
		pgtest.Damage{Name: "outcome", SQL: "update reports.report set weight = 9 where state = 2", Want: find("decided case", "does not decode")},
		pgtest.Damage{Name: "left", SQL: "update reports.report set sealed = '' where state = 2", Want: find("decided case", "has more than its outcome")},
		pgtest.Damage{Name: "verdict", SQL: "update reports.report set state = 3, weight = 0 where state = 2", Want: find("waiting verdict", "of a case that was not upheld")},
		pgtest.Damage{Name: "empty verdict", SQL: "update reports.report set verdict = '' where state = 2", Want: find("waiting verdict", "does not decode")},
	)
	// A server's login reads nothing.
	if _, err := postgres.Inspect(t.Context(), postgres.Config{URL: d.URL()}, reports.Checks, nil, reports.Schema); err != postgres.ErrOwner {
		t.Errorf("as the server's login: %v", err)
	}
}

// TestChecksPlaces: rows that are another shard's.
func TestChecksPlaces(t *testing.T) {
	d := pgtest.NewSharded(t, 2, reports.Schema)
	s := reports.New(d.Open(t))
	for i := range 8 {
		if err := s.Add(t.Context(), moderation.CaseID{byte(i)}, caseOf(i), 99); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Decide(t.Context(), moderation.CaseID{0}, upheld, []byte("verdict")); err != nil {
		t.Fatal(err)
	}
	d.Shards[0].Misplaced(t, reports.Checks, "open case", "decided case", "waiting verdict")
}
