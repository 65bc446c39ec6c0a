// Package ledger keeps one record for each pod: in which phase its use of its
// node is, and what samples of the node show of it.
//
// A sample of a node is behind: it shows a pod that has just started with a part
// of its use, and one that has just left as if it were there. A Record says what
// has to be added to a sample, or taken off, so that it is what it would have
// been had the pods that are on the node now been running all along (Predict).
//
// Nothing here knows the model, its locks or the API server. Time is passed in,
// by the node's clock.
package ledger
