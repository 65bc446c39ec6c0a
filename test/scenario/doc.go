// Package scenario tests the load model and both plugins by files that a person
// can read: what happens to a small cluster, and after each step what is
// predicted of it beside what is true.
//
// A file of testdata is one scenario. It is run in virtual time: what pods truly
// use is known second by second (world), metrics-server measures that as the real
// one does (metricsServer), kubelets say of containers what real ones say
// (kubelet), and kube-scheduler's own queue and framework run the plugins and the
// load model (pkg/sim/kube). The same file gives the same output, to the byte.
//
//	go test ./test/scenario            # compare
//	go test ./test/scenario -rewrite   # write what comes out; then read the diff
//
// # Blocks
//
// A block is commands, one a line, then ----, then what they print. A block ends
// with an empty line, and a line that begins with # says something to the reader.
// Names come first, then arguments as key=value, several values as
// key=(one, two). CPU is in cores, memory as Kubernetes writes it, printed in GiB;
// times are whole seconds as in 1m30s.
//
// # The cluster
//
//	config                      the rest of the block is YAML: arguments of NodeLoad and
//	                            DeviceFit over those of the recommended profile, and
//	                            features, a list of kube-scheduler's to turn on
//	node n cpu=64 memory=256Gi gpu=8 base=2 base-memory=4Gi clock=+40s phase=5s
//	                            base is used by what is no pod; clock is by how much the
//	                            node's is ahead; phase is how long after a poll it is
//	                            measured. unmeasured: the kubelet answers no scrape.
//	base n cpu=20 memory=8Gi    changes what is used beside pods
//	pod p node=n request=2 uses=20 memory=4Gi uses-memory=6Gi gpu=1 priority=10
//	                            without node it is to be scheduled; running=10m says that it
//	                            has been for so long; starts=5s starts it by itself so long
//	                            after it is bound; takes=2s is how long it takes to end
//	                            when it is told to, grace=30s what it is given.
//	                            uses=(0, 8) every=15s alternates. static, workload=web,
//	                            restart=Never, estimate={"cpu":"3"} and
//	                            when-unsatisfiable=ScheduleAnyway say what they do in Kubernetes.
//	                            container=(main, request=2, uses=20), sidecar=(...) and
//	                            init=(...) say of each container what the pod else says of
//	                            the only one, main.
//	pods 3 p ...                p-1 to p-3
//
// # What happens
//
//	+15s                        time passes: the model polls each 15 s
//	sample [n] [node ...]       time passes until the next poll, and n polls; predict of
//	                            the nodes follows each
//	span n 2h                   time passes, and between what and what predictions of the
//	                            node were is printed, as of each second
//	run 2m                      time passes, and pods that can be tried are, each second
//	start p [container ...]     its containers run; silent, without a word of the kubelet,
//	                            until tell p
//	stop p [container ...] exit=0
//	                            they end; crash, they end and are in back-off; restart, they
//	                            end and start in the same second
//	crashloop p container runs=5s
//	                            it ends so long after each start, and starts after a
//	                            back-off that doubles from 10 s to 5 m
//	uses p [container] cpu=8 memory=2Gi every=15s
//	resize p [container] request=40 uses=40 deferred
//	delete p grace=30s          it is told to end, and does if it was said how long it takes
//	end p silent tombstone late=20s
//	                            its containers end and it is gone: silent, without a report
//	                            of their end; late, its deletion comes so long after; and
//	                            as a tombstone
//	annotate pod/p estimate={"cpu":"3"}, annotate node/n thresholds={"cpu":60}
//	miss n, measure n           its kubelet answers no scrape, or does again
//	source down, source up      polls fail, or work again
//	unreadable p, readable p    metrics-server knows nothing of the pod
//	replace n uid=2 seen=delete another machine of the name, seen as an update or as a
//	                            deletion and an addition; remove n
//	reboot n                    its containers end, its counters begin anew
//	set-clock n -10m            its clock is set by so much
//	reserve p n, unreserve p    what a scheduling cycle does before the pod is bound
//	restart-scheduler           another process over the same objects
//
// # What is printed
//
//	predict n [memory] [statistics]
//	                            measured, predicted for the newest sample (in flight is the
//	                            difference), and what is true: used now, and with all running
//	                            that is to. statistics adds three of the window, and the
//	                            deviation
//	phases n                    the phase of each pod, and what it is expected to use
//	filter p, score p           what the plugins say of each node; also of a pod that is
//	                            not there: filter request=2
//	schedule [hold]             tries all pods that can be: what becomes of each. hold leaves
//	                            the binding to bind p
//	waiting                     the pods that wait, and for what
//	activated                   which were put back into the queue since the last time, when
//	events                      what was recorded since the last time
//	promise p ...               by how much the prediction would fall if they were gone
//	relief p ...                the same, and then they go
package scenario
