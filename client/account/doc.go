// Package account is one client of one user, outside of any group: its identity,
// its queue, its KeyPackages, its contacts and its tokens.
package account
