// Command machine is the hardware and the first process of a node for tests: namespaces
// of its own for mounts, processes, network, host name and IPC, control groups below one
// of its own, a network link to this machine, and in there the programs of a node.
//
//	machine run DIRECTORY
//
// DIRECTORY/machine.json says what to run. Commands come from standard input, one a
// line, and each is answered by a line, "ok" or what went wrong:
//
//	boot          makes the namespaces and starts the first process in them
//	start NAME    starts a program
//	stop NAME     ends it with SIGTERM, or SIGKILL after a while
//	kill NAME     ends it with SIGKILL
//	off           ends all in the namespaces at once, as if the power went
//
// When standard input ends, for whatever reason, nothing is left: the kernel kills all
// in the namespaces with their first process, the link goes with them, and the control
// groups and the directory are removed.
//
// The API server listens on this machine's loopback only. A socket in the directory,
// which is seen from both sides, leads from the node's network to it.
package main
