// Package crash kills the programs of a whole service, again and again, and audits
// what its clients were told.
//
// [Run] starts servers and clients as processes of their own. Clients talk, change
// their groups, report texts, fetch KeyPackages and pay with tokens, one of them with a
// copy of another's wallet, and each writes down what it was told, in a file that
// outlives it. An operator decides the reports meanwhile. Servers and clients are killed with signal 9 at random moments and started
// again. In the end all catch up, and [Audit] compares the records:
//
//   - every text whose sender was told that it is on its way was heard by every
//     other member, once, and in one order in each group;
//   - of each epoch of a group all members have the same authenticator, so that one
//     commit made it;
//   - no token paid for two requests, and no KeyPackage left twice, but for those
//     of last resort;
//   - every report whose maker was told that it was taken was decided, once and for good,
//     about the text and its speaker; of each that was upheld one verdict is in effect at
//     the issuer, and no other is;
//   - what the killed servers left is without findings.
//
// Where the stores are in a database, there are two processes of each role behind
// one address, and the database's servers are killed too, all processes of one at
// once. Under Patroni those are the leader, the synchronous standby, each with its
// agent, and the leader of etcd, in turns; a router may stand before them.
//
// [Config.Control] makes a service that has lost something, which the audit must
// see: an older copy of a store, or a standby that takes over without what was
// written last. A kill proves nothing about what was synced, as the system's cache outlives
// the process: package powerloss is for that.
package crash
