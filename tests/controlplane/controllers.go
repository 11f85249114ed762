package main

import (
	"context"

	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"
)

// workloadControllers make pods, and remove what nobody owns any longer.
// The rest of a cluster's controllers would find nothing to do here.
var workloadControllers = []string{
	names.CronJobController,
	names.DaemonSetController,
	names.DeploymentController,
	names.GarbageCollectorController,
	names.JobController,
	names.NamespaceController,
	names.ReplicaSetController,
	names.ReplicationControllerController,
	names.ServiceAccountController,
	names.StatefulSetController,
}

// runControllers runs the kube-controller-manager until the context ends. Each
// controller acts as its own service account, as in a cluster: that is who
// admission sees.
func runControllers(ctx context.Context, kubeconfig string) error {
	opts, err := options.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	opts.Generic.ClientConnection.Kubeconfig = kubeconfig
	opts.Generic.Controllers = workloadControllers
	opts.Generic.LeaderElection.LeaderElect = false
	opts.KubeCloudShared.UseServiceAccountCredentials = true
	opts.SecureServing.BindPort = 0 // nobody asks for its metrics
	opts.ControllerShutdownTimeout = stopTimeout
	config, err := opts.Config(ctx, controllermanager.KnownControllers(),
		controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases())
	if err != nil {
		return err
	}
	return controllermanager.Run(ctx, config.Complete())
}
