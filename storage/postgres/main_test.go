package postgres_test

import (
	"embed"
	"io/fs"
	"os"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

//go:embed testdata
var testdata embed.FS

func sub(name string) fs.FS {
	f, err := fs.Sub(testdata, "testdata/"+name)
	if err != nil {
		panic(err)
	}
	return f
}

var sample = postgres.Schema{Name: "sample", Migrations: sub("sample")}
