//! Pods of a usual size, as many as are wanted.

use std::io::{self, Write};

/// How many bytes an object has, roughly.
pub const OBJECT: usize = 3_000;

/// A pod of two containers; every tenth breaks the rules of the Pod Security Standards.
pub fn pod(number: usize) -> String {
    let bad = if number.is_multiple_of(10) { "true" } else { "false" };
    let mut text = format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: pod-{number}\n  namespace: team-{}\n  labels:\n    app: web\n    \
         act: deny\n    {}: 'yes'\n  annotations:\n    example.com/note: \"{:200}\"\nspec:\n  automountServiceAccountToken: \
         false\n  containers:\n",
        number % 50,
        if number.is_multiple_of(10) { "bad" } else { "good" },
        "what a tool has written down about this pod",
    );
    for name in ["web", "metrics"] {
        text.push_str(&format!(
            "  - name: {name}\n    image: registry.example.com/team/{name}:1.{number}.0\n    imagePullPolicy: IfNotPresent\n    \
             securityContext:\n      privileged: {bad}\n      allowPrivilegeEscalation: {bad}\n      runAsNonRoot: true\n      \
             readOnlyRootFilesystem: true\n      capabilities: {{drop: [ALL]}}\n      seccompProfile: {{type: RuntimeDefault}}\n    \
             resources:\n      requests: {{cpu: 100m, memory: 128Mi}}\n      limits: {{memory: 256Mi}}\n    ports:\n    - name: \
             http\n      containerPort: 8080\n      protocol: TCP\n    livenessProbe:\n      httpGet: {{path: /healthz, port: \
             http}}\n      periodSeconds: 10\n    env:\n"
        ));
        for variable in 0..10 {
            text.push_str(&format!("    - name: VARIABLE_{variable}\n      value: \"{:40}\"\n", variable * number));
        }
        text.push_str("    volumeMounts:\n    - {name: data, mountPath: /data}\n");
    }
    text.push_str("  volumes:\n  - name: data\n    emptyDir: {sizeLimit: 1Gi}\n");
    text
}

/// Writes so many pods as documents of one text.
pub fn write_documents(count: usize, out: &mut dyn Write) -> io::Result<()> {
    (0..count).try_for_each(|number| write!(out, "---\n{}", pod(number)))
}
