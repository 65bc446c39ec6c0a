// Package compat is what differs between the minors of Kubernetes that Plimsoll
// is built for: 1.37, and by a build tag 1.36 (k8s136) or 1.35 (k8s135). All other
// code is the same for all of them, and knows no tag. Where a minor lacks
// something, its name is here all the same, and nobody calls what has it.
//
// There is one file a minor, and one for what is common to those before 1.37. The
// Makefile has the module files and the tags that go together.
package compat
