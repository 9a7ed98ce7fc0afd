//go:build tools

// Package programs names what the test cluster runs, so that go.mod and go.sum hold exactly what this needs.
package programs

import _ "helm.sh/helm/v3/cmd/helm"
