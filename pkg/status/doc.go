// Package status tells what is known of the cluster now, beside what package explain
// tells of decisions: nodes against their lines, the pods on them, what was learned of
// workloads, and devices. It is asked by people, through kubectl plimsoll, and not by
// any plugin.
//
// What a node's line is, and which of its devices are of use, is for the plugins of a
// profile to say: each adds a Reporter for its part (Reporters). Everything is worked
// out when it is asked for, from the load model's view and from a snapshot of the
// scheduler's cache of its own, so that scheduling does no work for it.
package status
