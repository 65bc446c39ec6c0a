package node

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"
)

// The names of a node's programs, for StopProgram and StartProgram.
const (
	Kubelet    = "kubelet"
	Containerd = "containerd"
)

const kubeletConfigFile = "kubelet.yaml"

// PauseImage is the image that keeps the namespaces of a pod.
const PauseImage = "plimsoll.test/pause:v1"

// write writes all configuration of the node.
func (n *Node) write() error {
	for _, dir := range []string{"cni", "pki"} {
		if err := os.MkdirAll(n.in(dir), 0o755); err != nil {
			return err
		}
	}
	authority, authorityKey := n.cluster.Authority()
	if err := writeIdentity(authority, authorityKey, n.Name, n.network.address, n.in("pki/node.crt"), n.in("pki/node.key")); err != nil {
		return err
	}
	files := map[string]func() ([]byte, error){
		"machine.json":         n.machineConfig,
		kubeletConfigFile:      func() ([]byte, error) { return n.kubeletConfig(nil) },
		"containerd.toml":      n.containerdConfig,
		"cni/10-pods.conflist": n.podNetworkConfig,
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		content, err := files[file]()
		if err == nil {
			err = os.WriteFile(n.in(file), content, 0o600)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", file, err)
		}
	}
	return n.writeKubeconfig()
}

func (n *Node) machineConfig() ([]byte, error) {
	server, err := url.Parse(n.cluster.RESTConfig().Host)
	if err != nil {
		return nil, err
	}
	labels := make([]string, 0, len(n.options.Labels))
	for _, key := range slices.Sorted(maps.Keys(n.options.Labels)) {
		labels = append(labels, key+"="+n.options.Labels[key])
	}
	bits, _ := net.CIDRMask(linkBits, 32).Size()
	return json.Marshal(map[string]any{
		"name": n.group(), "link": n.network.link, "gateway": n.network.gateway, "address": n.network.address, "bits": bits,
		"pods": n.network.pods.String(), "apiServer": server.Host, "service": n.service,
		"path": n.options.ToolsDir + ":/usr/sbin:/usr/bin:/sbin:/bin",
		"programs": map[string]any{
			Containerd: map[string]any{"command": []string{n.tool("containerd"), "--config", n.in("containerd.toml")}},
			Kubelet: map[string]any{"command": append([]string{
				n.tool("kubelet"), "--config", n.in(kubeletConfigFile), "--kubeconfig", n.in("kubeconfig"),
				"--hostname-override", n.Name, "--node-ip", n.network.address.String(),
				"--cert-dir", n.in("pki"), "--node-labels", strings.Join(labels, ","),
			}, n.options.KubeletArgs...)},
		},
	})
}

// kubeletConfig is a KubeletConfiguration. What is not of a test's own making is as the
// kubelet has it by default, but for what this whole machine would be changed by. The
// fields replace those of before.
func (n *Node) kubeletConfig(fields map[string]any) ([]byte, error) {
	authority, _ := n.cluster.Authority()
	config := map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"address": "0.0.0.0", "tlsCertFile": n.in("pki/node.crt"), "tlsPrivateKeyFile": n.in("pki/node.key"),
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false}, "webhook": map[string]any{"enabled": true},
			"x509": map[string]any{"clientCAFile": authority},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"cgroupDriver":             "cgroupfs", "cgroupRoot": "/" + n.group(), "failCgroupV1": false,
		"failSwapOn": false, "resolvConf": "", "makeIPTablesUtilChains": false,
		"volumePluginDir":           "/var/lib/kubelet/volume-plugins",
		"nodeStatusUpdateFrequency": "2s", // 10 s; tests wait for what it reports
		"syncFrequency":             "10s",
		// The disk is this machine's.
		"evictionHard":                map[string]string{"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%"},
		"imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
	}
	maps.Copy(config, n.options.KubeletConfig)
	maps.Copy(config, fields)
	return yaml.Marshal(config)
}

func (n *Node) containerdConfig() ([]byte, error) {
	const config = `version = 3
root = '/var/lib/containerd'
state = '/run/containerd'
[grpc]
  address = '/run/containerd/containerd.sock'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '%s'
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true # what this machine allows is less in a container
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  cdi_spec_dirs = ['/run/cdi']
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['%s']
  conf_dir = '%s'
[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = 'runc'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = '%s'
  SystemdCgroup = false
`
	return fmt.Appendf(nil, config, PauseImage, n.options.ToolsDir, n.in("cni"), n.tool("runc")), nil
}

func (n *Node) podNetworkConfig() ([]byte, error) {
	return json.Marshal(map[string]any{
		"cniVersion": "1.0.0", "name": "pods",
		"plugins": []any{map[string]any{
			"type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
			"ipam": map[string]any{
				"type": "host-local", "dataDir": "/run/host-local",
				"ranges": []any{[]any{map[string]any{"subnet": n.network.pods.String()}}},
				"routes": []any{map[string]any{"dst": "0.0.0.0/0"}},
			},
		}},
	})
}

// writeKubeconfig writes how the kubelet finds the API server: where it is on this
// machine, which the machine leads to.
func (n *Node) writeKubeconfig() error {
	authority, _ := n.cluster.Authority()
	config := clientcmdapi.NewConfig()
	config.Clusters["cluster"] = &clientcmdapi.Cluster{Server: n.cluster.RESTConfig().Host, CertificateAuthority: authority}
	config.AuthInfos["node"] = &clientcmdapi.AuthInfo{ClientCertificate: n.in("pki/node.crt"), ClientKey: n.in("pki/node.key")}
	config.Contexts["node"] = &clientcmdapi.Context{Cluster: "cluster", AuthInfo: "node"}
	config.CurrentContext = "node"
	return clientcmd.WriteToFile(*config, n.in("kubeconfig"))
}

func (n *Node) in(path string) string { return filepath.Join(n.Dir, path) }

func (n *Node) tool(name string) string { return filepath.Join(n.options.ToolsDir, name) }
