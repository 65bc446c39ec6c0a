package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Placeholders in the expressions of Prometheus.Queries.
const (
	// WindowPlaceholder stands for Prometheus.Window as PromQL writes durations.
	WindowPlaceholder = "$window"
	// NodeLabelPlaceholder stands for Prometheus.NodeLabel.
	NodeLabelPlaceholder = "$nodeLabel"
)

// The default expressions, for node_exporter: the mean of the cores and bytes in
// use over the window.
//
// The cores are those of the machine times the share of its time that they were
// in use. A rate alone is too low, and so the machine looks idle, until the
// whole window has been scraped: after the start of a machine, an exporter or
// Prometheus. That cancels out of the share.
//
// What is measured is taken from a range, so that nothing older than the window
// counts; Prometheus itself would answer with the last value for five minutes.
// node_uname_info has the names. It is an instant selector on purpose: when a
// scrape fails Prometheus marks it as gone at once, and the node with it, long
// before the range is empty.
//
// The results keep their instance, so that two machines of one name are two
// series, which the source rejects, and not one that is too high.
const (
	defaultCPUQuery = `sum by (instance) (rate(node_cpu_seconds_total{mode!~"idle|iowait|steal"}[` + WindowPlaceholder + `]))` +
		` / sum by (instance) (rate(node_cpu_seconds_total[` + WindowPlaceholder + `]))` +
		` * count by (instance) (node_cpu_seconds_total{mode="idle"})` + defaultNames
	defaultMemoryQuery = `(avg_over_time(node_memory_MemTotal_bytes[` + WindowPlaceholder + `])` +
		` - avg_over_time(node_memory_MemAvailable_bytes[` + WindowPlaceholder + `]))` + defaultNames
	defaultNames = ` * on (instance) group_left (` + NodeLabelPlaceholder + `) node_uname_info`
)

// Prometheus configures the source of type Prometheus.
type Prometheus struct {
	// Address is the URL of the server, such as https://prometheus.monitoring:9090,
	// with the path that it is served under, if any, and without user and password.
	// Required.
	Address string `json:"address"`
	// BearerTokenFile is the path of a file with the token to authenticate with, such as
	// /var/run/secrets/kubernetes.io/serviceaccount/token. It is read anew for each query.
	BearerTokenFile string `json:"bearerTokenFile"`
	// CAFile is the path of the certificates (PEM) of which one must have signed the
	// server's; the system's if empty, of which the container image has none. CertFile
	// and KeyFile are the client's own. All are read anew when they change.
	CAFile   string `json:"caFile"`
	CertFile string `json:"certFile"`
	KeyFile  string `json:"keyFile"`
	// ServerName is the name in the server's certificate if it is not that of
	// Address.
	ServerName string `json:"serverName"`
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool `json:"insecureSkipVerify"`
	// NodeLabel is the label of the answers that has the node's name.
	NodeLabel string `json:"nodeLabel"`
	// Window is the range that the expressions look back over: the use they
	// report was measured within it. 1s to expiration, at least two scrape intervals of
	// the server's, and not longer than the history (NodeLoad's window).
	Window time.Duration `json:"window"`
	// Queries are PromQL expressions by resource, whose values are cores and
	// bytes, one series a node. A resource that is not named keeps its default.
	Queries map[string]string `json:"queries"`
	// PodQueries are PromQL expressions by resource, whose values are cores and
	// bytes, one series a pod. Given, even if empty, they have what pods use be
	// read from this server, and a resource that is not named has its default;
	// not given, it is read from metrics-server.
	PodQueries map[string]string `json:"podQueries"`
	// NamespaceLabel and PodLabel are the labels of the answers that have the
	// pod's namespace and name. They belong to PodQueries.
	NamespaceLabel string `json:"namespaceLabel"`
	PodLabel       string `json:"podLabel"`
}

// setDefaults has decode fill in what `prometheus: {}` means.
func (p *Prometheus) setDefaults() {
	*p = Prometheus{
		// The name that node_exporter reports of its machine.
		NodeLabel: "nodename",
		// Four scrapes at the interval of kube-prometheus (15s), two at 30s.
		Window:  time.Minute,
		Queries: map[string]string{CPU: defaultCPUQuery, Memory: defaultMemoryQuery},
		// What the kubelet's cAdvisor calls them.
		NamespaceLabel: defaultNamespaceLabel,
		PodLabel:       defaultPodLabel,
	}
}

// Expression returns the expression for the resource, placeholders replaced.
func (p *Prometheus) Expression(resource string) string {
	return strings.NewReplacer(
		WindowPlaceholder, model.Duration(p.Window).String(),
		NodeLabelPlaceholder, p.NodeLabel,
	).Replace(p.Queries[resource])
}

// labelName is what PromQL takes as the name of a label without quotes.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// validate returns every value of p that is out of range. What is in the files
// is checked by checkFiles. The expressions are left to the server: which ones
// are valid depends on its version, and on whether it is Prometheus at all or
// one of the databases that speak its API and a dialect of its language.
func (p *Prometheus) validate(fld *field.Path) field.ErrorList {
	errs := p.validateConnection(fld)
	errs = append(errs, label(fld.Child("nodeLabel"), p.NodeLabel)...)
	errs = append(errs, byResource(fld.Child("queries"), p.Queries, notEmpty)...)
	return append(errs, p.validatePods(fld)...)
}

func label(fld *field.Path, value string) field.ErrorList {
	if labelName.MatchString(value) {
		return nil
	}
	return field.ErrorList{field.Invalid(fld, value, "must be the name of a label: letters, digits and _, not beginning with a digit")}
}

func (p *Prometheus) validateConnection(fld *field.Path) field.ErrorList {
	errs := address(fld.Child("address"), p.Address)
	if (p.CertFile == "") != (p.KeyFile == "") {
		missing, given := "keyFile", "certFile"
		if p.CertFile == "" {
			missing, given = given, missing
		}
		errs = append(errs, field.Required(fld.Child(missing), "goes with "+given))
	}
	if !strings.HasPrefix(strings.ToLower(p.Address), "http://") {
		return errs
	}
	for name, given := range map[string]bool{
		"caFile": p.CAFile != "", "certFile": p.CertFile != "", "keyFile": p.KeyFile != "",
		"serverName": p.ServerName != "", "insecureSkipVerify": p.InsecureSkipVerify,
	} {
		if given {
			errs = append(errs, field.Forbidden(fld.Child(name), "is for TLS, and the address begins with http://; it must begin with https://"))
		}
	}
	return errs
}

// address checks the URL of a server.
func address(fld *field.Path, value string) field.ErrorList {
	const example = "such as https://prometheus.monitoring:9090"
	if value == "" {
		return field.ErrorList{field.Required(fld, "the URL of the Prometheus server, "+example)}
	}
	parsed, err := url.Parse(value)
	switch {
	case err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Hostname() == "":
		return field.ErrorList{field.Invalid(fld, value, "must be an http or https URL, "+example)}
	case parsed.User != nil: // it would be in logs; do not repeat it here either
		return field.ErrorList{field.Forbidden(fld, "must be without user and password; a token goes into a file, named in bearerTokenFile")}
	case parsed.RawQuery != "" || parsed.Fragment != "":
		return field.ErrorList{field.Invalid(fld, value, "must be without ? and #, "+example)}
	}
	return nil
}

func notEmpty(fld *field.Path, value string) field.ErrorList {
	if strings.TrimSpace(value) != "" {
		return nil
	}
	return field.ErrorList{field.Required(fld, "a PromQL expression; leave the field out for the default")}
}

// checkFiles returns the files that p names and that cannot be used.
func (p *Prometheus) checkFiles(fld *field.Path) field.ErrorList {
	checks := map[string]struct {
		file  string
		check func(content []byte) error
	}{
		"bearerTokenFile": {p.BearerTokenFile, checkToken},
		"caFile":          {p.CAFile, checkCertificates},
		"certFile":        {p.CertFile, checkCertificates},
		"keyFile":         {p.KeyFile, func([]byte) error { return nil }},
	}
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		c := checks[name]
		if c.file == "" {
			continue
		}
		content, err := os.ReadFile(c.file)
		if err == nil {
			err = c.check(content)
		}
		if err != nil {
			errs = append(errs, field.Invalid(fld.Child(name), c.file, err.Error()))
		}
	}
	if len(errs) == 0 && p.CertFile != "" {
		if _, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile); err != nil {
			errs = append(errs, field.Invalid(fld.Child("keyFile"), p.KeyFile, "must hold the key of the certificate in "+p.CertFile+": "+err.Error()))
		}
	}
	return errs
}

func checkToken(content []byte) error {
	if len(bytes.TrimSpace(content)) == 0 {
		return errors.New("the file is empty; it must hold a token")
	}
	return nil
}

func checkCertificates(content []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return errors.New("the file holds no certificate; it must hold one or more in PEM format")
	}
	return nil
}
