package page

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/semver"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
)

// Chart packages the chart in the folder as helm package does, as that of the version,
// which is also the tag of the image that it installs. The repository of the image is
// its default one if it is not empty. It returns the path of the package.
func Chart(dir, out, version, repository string, date time.Time) (string, error) {
	chart, err := loader.LoadDir(dir)
	if err != nil {
		return "", fmt.Errorf("chart: %w", err)
	}
	chart.Metadata.Version = strings.TrimPrefix(version, "v")
	chart.Metadata.AppVersion = version
	if chart.Metadata.Annotations == nil {
		chart.Metadata.Annotations = map[string]string{}
	}
	chart.Metadata.Annotations["artifacthub.io/prerelease"] = strconv.FormatBool(semver.Prerelease(version) != "")
	if repository != "" {
		if err := setRepository(chart, repository); err != nil {
			return "", fmt.Errorf("chart: %w", err)
		}
	}
	chart.StampModTimes(date)
	file, err := chartutil.Save(chart, out)
	if err != nil {
		return "", fmt.Errorf("package the chart: %w", err)
	}
	return file, nil
}

var imageRepository = regexp.MustCompile(`(?m)^(image:\n(?:(?:  .*|#.*)?\n)*?  repository: ).*$`)

// setRepository changes the line of image.repository alone, since the comments of the
// values are their documentation.
func setRepository(chart *chartv2.Chart, repository string) error {
	for _, file := range chart.Raw {
		if file.Name != chartutil.ValuesfileName {
			continue
		}
		file.Data = imageRepository.ReplaceAll(file.Data, []byte("${1}"+repository))
		values, err := loader.LoadValues(bytes.NewReader(file.Data))
		if err != nil {
			return err
		}
		if image, _ := values["image"].(map[string]any); image["repository"] != repository {
			return fmt.Errorf("%s: there must be a line \"  repository: ...\" below \"image:\"", file.Name)
		}
		chart.Values = values
		return nil
	}
	return fmt.Errorf("there is no %s", chartutil.ValuesfileName)
}
