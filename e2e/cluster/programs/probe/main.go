// What tests of the cluster run in pods: `probe serve PORT` answers HTTP with its node's name, `probe get URL` asks.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		fail("usage: probe serve PORT | probe get URL")
	}
	switch os.Args[1] {
	case "serve":
		serve(os.Args[2])
	case "get":
		get(os.Args[2])
	default:
		fail("usage: probe serve PORT | probe get URL")
	}
}

func serve(port string) {
	fmt.Println("probe is ready on port", port)
	answer := func(response http.ResponseWriter, request *http.Request) {
		fmt.Println("asked by", request.RemoteAddr)
		fmt.Fprintln(response, os.Getenv("NODE_NAME"))
	}
	fail(http.ListenAndServe(":"+port, http.HandlerFunc(answer)).Error())
}

func get(url string) {
	// Each question is a connection of its own, so that a Service chooses anew.
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(url)
	if err != nil {
		fail(err.Error())
	}
	if _, err = io.Copy(os.Stdout, response.Body); err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "probe:", why)
	os.Exit(1)
}
