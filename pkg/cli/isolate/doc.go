// Package isolate is the command kubectl plimsoll isolate: it takes a bad pod out of
// service and keeps it, on its node and with its devices, for analysis.
//
// Services and controllers know their pods by labels. Without these labels a pod gets
// no traffic any more, and its controller makes another in its place. What was taken
// off is remembered in an annotation of the pod, so that it can be put back. All of it
// is one patch that fails if the pod has changed: nothing is ever half done.
package isolate
