package group_test

import "crypto/rand"

var random = rand.Reader
