// Package httpapi carries the requests of package wire over HTTP. It is a thin
// binding: the operation, the group or queue, and the recipient are inside the
// request, under its signature, and decide everything. A path only says which
// kind of request is meant, so that a front end can route and limit without
// reading bodies; a request sent to the wrong path is refused.
//
// Every path takes POST with application/octet-stream and answers in the same
// type. The status follows the error inside the response, for those who look at
// nothing else; clients read the response. A stream of a queue is many responses,
// each after its length. The one exception is the provider document, which is JSON at /.well-known/pseudods and says where a provider's
// services are, by which keys they sign, and what operations cost.
//
// The package logs nothing and keeps no address. Metrics count requests by role,
// path and error code alone.
package httpapi
