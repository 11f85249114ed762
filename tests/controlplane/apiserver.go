package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/keyutil"
	aggregatorapiserver "k8s.io/kube-aggregator/pkg/apiserver"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// readyTimeout is generous: a warm start takes seconds, a busy machine longer.
const readyTimeout = 3 * time.Minute

// apiServer is a kube-apiserver that is configured but does not run yet.
type apiServer struct {
	chain *aggregatorapiserver.APIAggregator
	admin *rest.Config
}

// newAPIServer configures a kube-apiserver on a free loopback port. Everything
// is as by default except for what needs the rest of a cluster. The extra flags
// come last, so they win.
func newAPIServer(ctx context.Context, dir, etcd string, extra []string) (*apiServer, error) {
	token, err := newToken()
	if err != nil {
		return nil, err
	}
	tokenFile := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokenFile, []byte(token+",admin,admin,system:masters\n"), 0o600); err != nil {
		return nil, err
	}
	signingKey := filepath.Join(dir, "service-account.key")
	if err := writeSigningKey(signingKey); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}

	opts := options.NewServerRunOptions()
	opts.SecureServing.Listener = listener
	opts.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range opts.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(append([]string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--cert-dir=" + filepath.Join(dir, "certificates"),
		"--token-auth-file=" + tokenFile,
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + signingKey,
		"--service-account-signing-key-file=" + signingKey,
		"--service-cluster-ip-range=10.0.0.0/24",
		// No endpoints for the kubernetes service: loopback would be refused.
		"--endpoint-reconciler-type=none",
		// No controller makes service accounts here, and pods must do without.
		"--disable-admission-plugins=ServiceAccount",
		"--allow-privileged=true",
		"--profiling=false",
		"--runtime-config=admissionregistration.k8s.io/v1beta1=true,admissionregistration.k8s.io/v1alpha1=true",
	}, extra...)); err != nil {
		return nil, err
	}
	if err := opts.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})

	completed, err := opts.Complete(ctx)
	if err != nil {
		return nil, err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return nil, utilerrors.NewAggregate(errs)
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return nil, err
	}
	ready, err := config.Complete()
	if err != nil {
		return nil, err
	}
	chain, err := app.CreateServerChain(ready)
	if err != nil {
		return nil, err
	}
	// The serving certificate is self-signed, so it is its own authority.
	authority, err := os.ReadFile(opts.SecureServing.ServerCert.CertKey.CertFile)
	if err != nil {
		return nil, err
	}
	return &apiServer{chain: chain, admin: &rest.Config{
		Host:            "https://" + listener.Addr().String(),
		BearerToken:     token,
		TLSClientConfig: rest.TLSClientConfig{CAData: authority},
	}}, nil
}

func (s *apiServer) run(ctx context.Context) error {
	prepared, err := s.chain.PrepareRun()
	if err != nil {
		return err
	}
	return prepared.Run(ctx)
}

// waitReady returns once the server answers the admin as ready and the default
// namespace exists, or fails when the server ends first.
func (s *apiServer) waitReady(ctx context.Context, ended <-chan error) error {
	client, err := kubernetes.NewForConfig(s.admin)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	var last error
	for {
		if last = ready(ctx, client); last == nil {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("not ready yet: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("kube-apiserver is not ready after %v: %w", readyTimeout, last)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func ready(ctx context.Context, client kubernetes.Interface) error {
	if err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return err
	}
	_, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{})
	return err
}

func (s *apiServer) writeKubeconfig(path string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["controlplane"] = &clientcmdapi.Cluster{
		Server:                   s.admin.Host,
		CertificateAuthorityData: s.admin.CAData,
	}
	config.AuthInfos["admin"] = &clientcmdapi.AuthInfo{Token: s.admin.BearerToken}
	config.Contexts["controlplane"] = &clientcmdapi.Context{
		Cluster: "controlplane", AuthInfo: "admin", Namespace: metav1.NamespaceDefault,
	}
	config.CurrentContext = "controlplane"
	return clientcmd.WriteToFile(*config, path)
}

func newToken() (string, error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	return hex.EncodeToString(raw), nil
}

func writeSigningKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	encoded, err := keyutil.MarshalPrivateKeyToPEM(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, encoded, 0o600)
}
