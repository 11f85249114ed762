// Command controlplane runs a real kube-apiserver with its own etcd in this one
// process, on loopback and on throw-away data, so that tests can compare with
// what Kubernetes itself admits. With --controllers, the workload controllers of
// a real kube-controller-manager run beside it. Nothing else of a cluster runs:
// no scheduler, no kubelet.
//
// It prints "ready <kubeconfig>" once requests are served, and ends on SIGTERM,
// SIGINT or the end of its standard input, leaving nothing but the kubeconfig.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/klog/v2"
)

// stopTimeout bounds a graceful stop; open watches would hold it up for long,
// and the data is thrown away in any case.
const stopTimeout = 3 * time.Second

type settings struct {
	kubeconfig  string
	ignoreStdin bool
	verbose     bool
	controllers bool
	// extra are flags for kube-apiserver itself, given after "--".
	extra []string
}

func main() {
	var s settings
	flag.StringVar(&s.kubeconfig, "kubeconfig", "", "`file` to write the admin kubeconfig to (required)")
	flag.BoolVar(&s.ignoreStdin, "ignore-stdin", false, "do not end at the end of standard input")
	flag.BoolVar(&s.verbose, "verbose", false, "write the API server's log to standard error")
	flag.BoolVar(&s.controllers, "controllers", false, "run the workload controllers of kube-controller-manager, too")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: controlplane --kubeconfig FILE [flags] [-- kube-apiserver flags]")
		flag.PrintDefaults()
	}
	flag.Parse()
	s.extra = flag.Args()
	if s.kubeconfig == "" {
		fmt.Fprintln(os.Stderr, "controlplane: --kubeconfig is missing: say where to write the admin kubeconfig")
		os.Exit(2)
	}
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

func run(s settings) (err error) {
	if !s.verbose {
		silenceLog()
	}
	kubeconfig, err := filepath.Abs(s.kubeconfig)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "controlplane-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if !s.ignoreStdin {
		// A parent that dies without a word closes the pipe: never outlive it.
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}

	storage, err := startStorage(ctx, filepath.Join(dir, "etcd"), s.verbose)
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	defer withTimeout(stopTimeout, storage.close)

	server, err := newAPIServer(ctx, dir, storage.endpoint, s.extra)
	if err != nil {
		return fmt.Errorf("configure kube-apiserver: %w", err)
	}
	ended := make(chan error, 2)
	running := 1
	go func() { ended <- named("kube-apiserver", server.run(ctx)) }()

	if err := server.waitReady(ctx, ended); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it was up
		}
		return err
	}
	if err := server.writeKubeconfig(kubeconfig); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	if s.controllers {
		running++
		go func() { ended <- named("kube-controller-manager", runControllers(ctx, kubeconfig)) }()
	}
	fmt.Println("ready", kubeconfig)

	select {
	case err := <-ended:
		if ctx.Err() == nil {
			return err
		}
		running-- // told to stop
	case <-ctx.Done():
	}
	withTimeout(stopTimeout, func() {
		for range running {
			<-ended
		}
	})
	return nil
}

// named says what ended, which nothing should do by itself.
func named(component string, err error) error {
	return fmt.Errorf("%s ended by itself: %w", component, err)
}

// silenceLog keeps what the API server logs while it starts, errors included,
// out of the output of tests: what matters comes back as an error.
func silenceLog() {
	logFlags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(logFlags)
	_ = logFlags.Set("logtostderr", "false")
	_ = logFlags.Set("alsologtostderr", "false")
	_ = logFlags.Set("stderrthreshold", "FATAL")
	klog.SetOutput(io.Discard)
}

// withTimeout gives f that long, then leaves it to the end of the process.
func withTimeout(limit time.Duration, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(limit):
	}
}
