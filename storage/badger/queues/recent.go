package queues

// recent is a map of what was used last. The value that was last looked for is at
// hand: most are put in again at once.
type recent[K comparable, V any] struct {
	young, old generation[K, V]
	key        K
	value      *V // that of key in young; nil for none
}

// cacheSize is how many values a generation holds: some 250 octets for a head and a mark.
const cacheSize = 1 << 17

// generation holds values where they stay, without a pointer to each.
type generation[K comparable, V any] struct {
	at     map[K]uint32
	blocks [][]V
	used   int // values, those that were deleted included
}

const generationBlock = 64 // values

func (g *generation[K, V]) find(k K) *V {
	at, ok := g.at[k]
	if !ok {
		return nil
	}
	return &g.blocks[at/generationBlock][at%generationBlock]
}

func (g *generation[K, V]) add(k K, v V) *V {
	if g.used%generationBlock == 0 {
		g.blocks = append(g.blocks, make([]V, generationBlock))
	}
	p := &g.blocks[g.used/generationBlock][g.used%generationBlock]
	*p = v
	g.at[k] = uint32(g.used)
	g.used++
	return p
}

func (c *recent[K, V]) get(k K) (v V, ok bool) {
	if p := c.young.find(k); p != nil {
		c.key, c.value = k, p
		return *p, true
	}
	if p := c.old.find(k); p != nil {
		v, ok = *p, true
		c.put(k, v)
	}
	return v, ok
}

func (c *recent[K, V]) put(k K, v V) {
	if c.value == nil || c.key != k {
		c.key, c.value = k, c.young.find(k)
	}
	if c.value != nil {
		*c.value = v
		return
	}
	if c.young.at == nil || c.young.used >= cacheSize {
		c.young, c.old = generation[K, V]{at: make(map[K]uint32)}, c.young
	}
	c.value = c.young.add(k, v)
}

func (c *recent[K, V]) delete(k K) {
	delete(c.young.at, k)
	delete(c.old.at, k)
	c.value = nil
}
