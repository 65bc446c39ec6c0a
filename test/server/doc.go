// Command server stands for an inference server in tests on real nodes: it takes a while
// to start, answers requests, and drains when it is told to end.
//
//	server --start 2s --drain 5s
//
//	GET  /              an answer, after --work
//	GET  /healthz       it lives, unless /break was called
//	GET  /readyz        it takes requests: not before --start has passed, nor once it ends
//	GET  /devices       the devices that the container has, as JSON: see Devices
//	POST /load?cores=2  uses so much CPU from now on
//	POST /hold?mib=100  holds so much memory from now on
//	POST /break         fails its liveness from now on
//	POST /quit          ends at once, with an error
//
// On SIGTERM it is not ready any more, still answers for as long as --drain says, for
// clients that have not heard of that, and then ends when the last request is answered.
// With --for it ends by itself, as a batch job does.
package main
