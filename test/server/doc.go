// Command server stands for an inference server in tests on real nodes: it takes a while
// to start, answers requests, and drains when it is told to end.
//
//	server --start 2s --drain 5s
//
//	GET  /                    an answer, after --work
//	GET  /healthz             it lives, unless /break was called
//	GET  /readyz              it takes requests: not once it ends, nor while /ready said so
//	GET  /devices             the devices that the container has, as JSON: see Devices
//	POST /load?cores=2        uses so much CPU from now on
//	POST /hold?mib=100        holds so much memory from now on
//	POST /ready?value=false   is not ready from now on, or is again
//	POST /break               fails its liveness from now on
//	POST /quit                ends at once, with an error
//
// Until --start has passed it does not listen, as a server that loads its model.
//
// On SIGTERM it is not ready any more, still answers for as long as --drain says, for
// clients that have not heard of that, and then ends when the last request is answered.
//
// With --for it is a batch job, which has done its work when that has passed. SIGTERM
// before is an error: a pod that ends with 0 has done its work in the eyes of its Job.
package main
