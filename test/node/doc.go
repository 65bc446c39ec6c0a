// Package node starts real nodes for tests, beside the simulated ones of a local cluster:
// a kubelet and containerd, with all that they need of a machine of their own (see the
// program machine). They join the cluster as any node does.
//
//	c, err := cluster.Start(ctx, cluster.Options{RealNodes: true})
//	...
//	n, err := node.Start(ctx, c, node.Options{Name: "real-0", Images: []string{"pause.tar"}})
//	if err != nil {
//		return err
//	}
//	defer n.Close()
//
// The programs come from "make node-tools". It takes root on Linux: see Missing.
//
// # What is left behind
//
// Nothing. All files of a node are in a directory below os.TempDir, and a process outside
// of the node's namespaces waits at a pipe that only the owner of the node holds open.
// When that is closed, by Close or because the owner is gone for whatever reason, it
// ends all that runs on the node and removes the directory, the network link and the
// control groups.
//
// # What a real node is not
//
// Each has the processors and the memory of this whole machine, and reports the use of
// all of it. No kube-proxy runs: the Service kubernetes leads to the API server, and
// no other Service leads anywhere. Pods have addresses that this machine reaches, and no
// name server.
package node
