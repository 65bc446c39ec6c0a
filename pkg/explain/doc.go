// Package explain keeps the last scheduling decision on each pod, with the
// numbers that it was made on, and serves it as JSON.
//
// A scheduling cycle notes next to nothing: a byte a node and plugin (Marks). A
// Decision is composed of that, of the immutable view of the load model that the
// cycle decided on, and of what each plugin has to say of its own marks (its
// Account), by a goroutine of its own. No plugin knows of another one's.
//
// Events of pods tell in a line what the pod waits for, and if that is wanted why it
// got its node.
//
// The Trace of a cycle ends when a plugin says what became of the pod. A cycle of
// which nobody says so has failed where none of ours was asked: it ends when the
// next one of its profile begins.
package explain
