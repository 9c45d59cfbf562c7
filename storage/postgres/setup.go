package postgres

import (
	"fmt"
	"strings"
)

// Script returns the statements by which an administrator makes a database with
// two logins that can sign in nowhere else: the owner, who sets it up and migrates it
// ([Migrate], [Grant]), and the one of the server, which may call functions. Give both
// a password or a line in pg_hba.conf. Each role of a provider gets a database of its
// own, better on a server of its own.
//
// The text is for psql, as a superuser. Names that are no plain identifiers give
// [ErrConfig].
func Script(database, owner, login string) (string, error) {
	for _, name := range []string{database, owner, login} {
		if !identifier.MatchString(name) {
			return "", fmt.Errorf("%w: %q as a name", ErrConfig, name)
		}
	}
	return strings.NewReplacer("DATABASE", database, "OWNER", owner, "LOGIN", login).Replace(script), nil
}

const script = `-- Run by a superuser, with psql. Then give both logins a password: \password OWNER
create role OWNER login nosuperuser nocreatedb nocreaterole noinherit;
create role LOGIN login nosuperuser nocreatedb nocreaterole noinherit;
-- To see, at start, of which kind the standbys are.
grant pg_read_all_stats to OWNER;
alter role OWNER inherit;
create database DATABASE owner OWNER;
revoke all on database DATABASE from public;
grant connect on database DATABASE to LOGIN;
\connect DATABASE
revoke all on schema public from public;
`
