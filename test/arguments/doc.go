// Package arguments has the test that writes docs/arguments.md, the reference of the
// plugins' arguments, from their types, the comments of these, and the defaults:
//
//	go test ./test/arguments            # fails if the reference is not that of the code
//	go test ./test/arguments -rewrite   # writes it anew
package arguments
