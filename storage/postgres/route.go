package postgres

import "errors"

// ErrRoute: a schema is not declared in a way that it can be sharded.
var ErrRoute = errors.New("postgres: no route")

// Routing says how the functions of a schema find their shards, and which rows a
// shard has. It lies beside the migrations. A function or a table that is not in it
// keeps the schema from being sharded.
type Routing struct {
	Functions map[string]Route
	Tables    map[string]Placement
	// Renewed are statements that a copy needs, once, when it becomes a shard.
	Renewed []string
	// Halved are statements that set right, after a split, what counts rows.
	Halved []string
}

// Route says where a function runs. Exactly one of Key, Part, All, First and
// Internal is set.
type Route struct {
	// Key names the argument, of type bytea or uuid, whose value's shard it runs on;
	// Octet is that of the value's first random octet. If the argument is an array,
	// all arrays of the function are parallel, and each shard gets its own elements,
	// in their order: its rows must say whose they are.
	Key   string
	Octet int
	// Part: the first argument is the number of the shard.
	Part bool
	// All: on every shard at once. Merge makes one answer of the shards' rows, as a
	// query in which ROWS stands for them and $1... for the arguments; none is needed if
	// the function returns nothing.
	All   bool
	Merge string
	// First: on shard 0, for what there is in one place.
	First bool
	// Internal: functions call it, and nobody else.
	Internal bool
}

// The routes that most functions have.

// ByKey is the route of a function of one key, or of an array of them.
func ByKey(argument string) Route { return Route{Key: argument} }

// ByPart is the route of a function whose first argument is a shard.
func ByPart() Route { return Route{Part: true} }

// OnAll is the route of a function that runs everywhere.
func OnAll(merge string) Route { return Route{All: true, Merge: merge} }

// OnFirst is the route of a function that runs in one place.
func OnFirst() Route { return Route{First: true} }

// Internal is the route of a function that is called in the database alone.
func Internal() Route { return Route{Internal: true} }

// Placement says which shard has a row of a table: that of the key in a column, of
// type bytea or uuid. Without a column, every shard has rows of its own.
type Placement struct {
	Column string
	Octet  int
	// Copied says of a table without a column that a new shard, which begins as a copy,
	// keeps the rows; otherwise it begins with none.
	Copied bool
}

func (r Route) valid() bool {
	n := 0
	for _, set := range []bool{r.Key != "", r.Part, r.All, r.First, r.Internal} {
		if set {
			n++
		}
	}
	return n == 1
}
