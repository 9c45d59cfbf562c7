// Package move moves stores from one engine to another: it copies what a
// [Source] has into a [Target], chunk by chunk, and compares both at the end. It
// knows neither engine.
//
// A chunk is one transaction of the target, which holds how far the copy is as
// well: a process that is killed at any moment goes on after the last chunk, and
// none is loaded twice. What is in memory is two chunks.
//
// Each row is counted, with a digest, in the transaction that loads it. At the end
// the target is read again, and each table must have the rows and the digest that
// the source gave, and every record of the source must have passed by.
//
// The caller sees to it that nobody writes to either side: that the source is
// closed to servers, and that the target is marked before the first chunk and
// until the comparison has ended.
package move
