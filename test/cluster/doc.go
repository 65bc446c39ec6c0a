// Package cluster starts a real Kubernetes control plane on this machine, for
// tests and for the demo: etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler and metrics-server as local processes. Only the nodes are
// simulated, by kwok, which also plays the kubelet that metrics-server scrapes.
//
//	c, err := cluster.Start(ctx, cluster.Options{Log: os.Stderr})
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	err = c.CreateNodes(ctx, cluster.Node{Name: "gpu-0", CPU: "32", Memory: "256Gi",
//		Devices: map[string]string{"nvidia.com/gpu": "8"}})
//
// The programs come from "make tools". Nothing is downloaded at run time.
//
// # What is left behind
//
// Nothing. A cluster keeps all of its files in a directory of its own below
// os.TempDir, and a janitor, a small shell process in its own session, waits
// at a pipe which only the owner of the cluster holds open. When the pipe is
// closed, by Close or because the owner is gone for whatever reason, SIGKILL
// included, the janitor kills every process whose program lies in the
// directory and removes the directory.
//
// # Several clusters
//
// Clusters do not disturb each other, within a process or between processes:
// each one has its own directory, its own processes and a block of TCP ports
// that it reserves by listening on the block's first port.
//
// # Limits
//
// The package finds processes in /proc, so it needs Linux.
package cluster
