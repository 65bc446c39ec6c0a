// Command deviceplugin is a device plugin of the kubelet whose devices do nothing, for
// tests on real nodes: it registers, reports its devices, prefers and allocates some, as
// the plugins of vendors do.
//
//	deviceplugin --resource example.com/npu=4 --resource example.com/link=2
//
// A container that gets devices sees them in three ways: their ids in an environment
// variable (EXAMPLE_COM_NPU=npu-0,npu-2), a device node each (/dev/npu-0, which is
// /dev/null), and a folder each that is mounted (/run/devices/npu-0, with a file id).
//
// What happens to devices is told by HTTP:
//
//	GET  /devices                                        all devices, as JSON
//	POST /devices?id=npu-0&state=healthy|unhealthy|gone  changes one
//	POST /load?cores=1.5                                 uses so much CPU from now on
package main
