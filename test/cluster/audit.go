package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// auditFile is the policy of the API server's audit log.
const auditFile = "audit-policy.yaml"

// Request is a request to the API server, as its audit log has it.
type Request struct {
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	Verb      string `json:"verb"`
	ObjectRef *struct {
		APIGroup    string `json:"apiGroup"`
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"` // nil if it is for no resource
	RequestURI     string `json:"requestURI"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// writeAudit writes a policy by which only what these users request is logged.
func writeAudit(path string, users []string) error {
	policy := map[string]any{
		"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
		"omitStages": []string{"RequestReceived", "ResponseStarted"},
		"rules":      []any{map[string]any{"level": "Metadata", "users": users}, map[string]any{"level": "None"}},
	}
	data, err := json.Marshal(policy) // which is YAML
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// Requests returns what the users of Options.Audit have requested so far, as far as it is
// answered: watches are not before they end.
func (c *Cluster) Requests() (requests []Request, err error) {
	content, err := os.ReadFile(filepath.Join(c.Dir, "clusters", c.Name, "logs", "audit.log"))
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r Request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			break // the last line may be written half
		}
		requests = append(requests, r)
	}
	return requests, lines.Err()
}
