// health says what GitOps tools make of an object: kstatus (Flux, kubectl wait, Helm) by its own library, Argo CD by a
// health script run in the Lua that Argo CD runs.
//
// usage: health [SCRIPT.lua] < object.json
package main

import (
	"encoding/json"
	"fmt"
	"os"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
)

type answer struct {
	Kstatus string `json:"kstatus"`
	ArgoCD  string `json:"argocd,omitempty"`
	Message string `json:"message"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "health:", err)
		os.Exit(1)
	}
}

func run() error {
	var content map[string]interface{}
	if err := json.NewDecoder(os.Stdin).Decode(&content); err != nil {
		return err
	}
	// As the API machinery reads it: whole numbers are int64.
	bytes, err := json.Marshal(content)
	if err != nil {
		return err
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(bytes); err != nil {
		return err
	}
	computed, err := status.Compute(object)
	if err != nil {
		return err
	}
	said := answer{Kstatus: string(computed.Status), Message: computed.Message}
	if len(os.Args) > 1 {
		said.ArgoCD, err = argo(os.Args[1], content)
		if err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(said)
}

// Argo CD gives the script the object as `obj` and takes a table with `status` and `message`.
func argo(script string, content map[string]interface{}) (string, error) {
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", value(state, content))
	if err := state.DoFile(script); err != nil {
		return "", err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", fmt.Errorf("%s returns no table", script)
	}
	return table.RawGetString("status").String(), nil
}

func value(state *lua.LState, any interface{}) lua.LValue {
	switch held := any.(type) {
	case map[string]interface{}:
		table := state.NewTable()
		for key, entry := range held {
			table.RawSetString(key, value(state, entry))
		}
		return table
	case []interface{}:
		table := state.NewTable()
		for _, entry := range held {
			table.Append(value(state, entry))
		}
		return table
	case string:
		return lua.LString(held)
	case float64:
		return lua.LNumber(held)
	case bool:
		return lua.LBool(held)
	default:
		return lua.LNil
	}
}
