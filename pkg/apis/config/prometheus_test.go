package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
	schedconfig "k8s.io/kubernetes/pkg/scheduler/apis/config"
)

func TestPrometheusDefaults(t *testing.T) {
	args, errs := DecodeNodeLoad(raw(`{"source": {"type": "Prometheus", "prometheus": {
		"address": "https://p.example/prefix", "window": "90s", "nodeLabel": "node",
		"queries": {"memory": "used_bytes{window=\"$window\"}"}
	}}}`), field.NewPath("args"))
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	got := args.Source.Prometheus
	const cpu = `sum by (instance) (rate(node_cpu_seconds_total{mode!~"idle|iowait|steal"}[1m30s]))` +
		` / sum by (instance) (rate(node_cpu_seconds_total[1m30s])) * count by (instance) (node_cpu_seconds_total{mode="idle"})` +
		` * on (instance) group_left (node) node_uname_info`
	if got.Expression(CPU) != cpu {
		t.Errorf("the default with window and label: %s", got.Expression(CPU))
	}
	if got.Expression(Memory) != `used_bytes{window="1m30s"}` {
		t.Errorf("an expression of the user's: %s", got.Expression(Memory))
	}

	args, errs = DecodeNodeLoad(raw(`{"source": {"type": "Prometheus", "prometheus": {"address": "http://p:9090"}}}`), field.NewPath("args"))
	if len(errs) > 0 {
		t.Fatal(errs.ToAggregate())
	}
	const memory = `(avg_over_time(node_memory_MemTotal_bytes[1m]) - avg_over_time(node_memory_MemAvailable_bytes[1m])) * on (instance) group_left (nodename) node_uname_info`
	if got := args.Source.Prometheus; got.Expression(Memory) != memory || got.NodeLabel != "nodename" || got.Window != time.Minute {
		t.Errorf("defaults %+v", got)
	}
}

// Files are checked before anything is started, and each fault names the field
// and the file.
func TestPrometheusFiles(t *testing.T) {
	dir := t.TempDir()
	cert, key := keyPair(t)
	_, otherKey := keyPair(t)
	for name, content := range map[string]string{
		"cert": cert, "key": key, "other-key": otherKey, "token": "t\n", "empty": " \n", "text": "text",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const path = "profiles[0].pluginConfig[NodeLoad].args.source.prometheus."
	for fields, want := range map[string][]string{
		`"bearerTokenFile": "DIR/token", "caFile": "DIR/cert", "certFile": "DIR/cert", "keyFile": "DIR/key"`: nil,
		`"bearerTokenFile": "DIR/none", "caFile": "DIR/none", "certFile": "DIR/none", "keyFile": "DIR/none"`: {
			path + `bearerTokenFile: Invalid value: "DIR/none": open DIR/none: no such file`,
			path + `caFile: Invalid value: "DIR/none": open DIR/none: no such file`,
			path + `certFile: Invalid value: "DIR/none": open DIR/none: no such file`,
			path + `keyFile: Invalid value: "DIR/none": open DIR/none: no such file`,
		},
		`"bearerTokenFile": "DIR/empty", "caFile": "DIR/text", "certFile": "DIR", "keyFile": "DIR/key"`: {
			path + `bearerTokenFile: Invalid value: "DIR/empty": the file is empty; it must hold a token`,
			path + `caFile: Invalid value: "DIR/text": the file holds no certificate`,
			path + `certFile: Invalid value: "DIR": read DIR: is a directory`,
		},
		`"certFile": "DIR/cert", "keyFile": "DIR/other-key"`: {
			path + `keyFile: Invalid value: "DIR/other-key": must hold the key of the certificate in DIR/cert: `,
		},
	} {
		args := raw(`{"source": {"type": "Prometheus", "prometheus": {"address": "https://p", ` + strings.ReplaceAll(fields, "DIR", dir) + `}}}`)
		_, errs := DecodeProfiles([]schedconfig.KubeSchedulerProfile{{
			Plugins: &schedconfig.Plugins{MultiPoint: set(NodeLoad)}, PluginConfig: []schedconfig.PluginConfig{{Name: NodeLoad, Args: args}},
		}})
		if len(errs) != len(want) {
			t.Errorf("%s: %d faults, want %d: %v", fields, len(errs), len(want), errs.ToAggregate())
			continue
		}
		for i := range want {
			if !strings.HasPrefix(errs[i].Error(), strings.ReplaceAll(want[i], "DIR", dir)) {
				t.Errorf("%s: %v, want %s", fields, errs[i], want[i])
			}
		}
	}
}

// keyPair returns a certificate and its key, in PEM.
func keyPair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certDER, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("CERTIFICATE", certDER), encode("PRIVATE KEY", keyDER)
}
