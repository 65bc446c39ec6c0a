//go:build !k8s136 && !k8s135

// Command dradriver is a driver of dynamic resource allocation whose devices do nothing,
// for tests on real nodes: it publishes them, prepares claims, and lets go of them.
//
//	dradriver --devices 2
//
// A container whose pod has a claim of its devices sees a device node for each:
// /dev/accel-0, which is /dev/null, by the Container Device Interface. It takes the
// node's name, and the pod's UID, from the environment variables NODE_NAME and POD_UID.
package main
