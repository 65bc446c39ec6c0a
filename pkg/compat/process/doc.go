// Package process is what differs between the minors of Kubernetes in
// kube-scheduler itself, for those who run it. See package compat, which has what
// differs for plugins.
package process
