package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// storageStartTimeout is generous: a single member elects itself in a second,
// but test machines can be very busy.
const storageStartTimeout = 2 * time.Minute

// storage is a single-member etcd in this process.
type storage struct {
	member   *embed.Etcd
	endpoint string
}

// startStorage runs etcd on free loopback ports, without fsync: the data is not
// meant to outlive the process.
func startStorage(ctx context.Context, dir string, verbose bool) (*storage, error) {
	anyPort := url.URL{Scheme: "http", Host: "127.0.0.1:0"}
	config := embed.NewConfig()
	config.Dir = dir
	config.ListenClientUrls = []url.URL{anyPort}
	config.AdvertiseClientUrls = []url.URL{anyPort}
	config.ListenPeerUrls = []url.URL{anyPort}
	config.AdvertisePeerUrls = []url.URL{anyPort}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = true
	config.LogLevel = "fatal"
	if verbose {
		config.LogLevel = "warn"
	}
	config.LogOutputs = []string{"stderr"}

	member, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-member.Server.ReadyNotify():
	case err := <-member.Err():
		return nil, err
	case <-ctx.Done():
		member.Close()
		return nil, ctx.Err()
	case <-time.After(storageStartTimeout):
		member.Close()
		return nil, fmt.Errorf("not ready after %v", storageStartTimeout)
	}
	if len(member.Clients) == 0 {
		member.Close()
		return nil, errors.New("no client listener")
	}
	return &storage{member: member, endpoint: "http://" + member.Clients[0].Addr().String()}, nil
}

func (s *storage) close() { s.member.Close() }
