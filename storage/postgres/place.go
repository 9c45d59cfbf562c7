package postgres

// Shards are databases with the same schemas, each with those rows whose keys have
// its number; their count is a power of two, at most [MaxShards]. Keys are random,
// so that two octets of them, the lower first, are a number whose lowest bits say
// where they lie: doubling the shards sends a half of each to a new one.

// MaxShards is how many shards there may be.
const MaxShards = 1 << 16

// Place returns the number of the shard that has a key, of so many. The octet is
// that of the key's first random one.
func Place(key []byte, octet, shards int) int {
	return (int(key[octet]) | int(key[octet+1])<<8) & (shards - 1)
}

// Shards is how many databases there are behind this one, and 1 if it has the
// tables itself. The functions whose first argument is the number of a shard take
// those below it.
func (db *DB) Shards() int { return max(db.shards, 1) }

// Shard returns the number of the shard that has a key. See [Place].
func (db *DB) Shard(key []byte, octet int) int { return Place(key, octet, db.Shards()) }
