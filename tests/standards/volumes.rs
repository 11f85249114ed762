//! What volumes may be.

use serde_json::{Value, json};

/// The sources of volumes that the restricted level allows.
pub fn allowed_volumes() -> Vec<(&'static str, Value)> {
    vec![
        ("configMap", json!({"name": "web"})),
        ("csi", json!({"driver": "csi.example.com"})),
        ("downwardAPI", json!({"items": []})),
        ("emptyDir", json!({})),
        ("emptyDir", json!({"medium": "Memory"})),
        (
            "ephemeral",
            json!({"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}),
        ),
        ("image", json!({"reference": "ghcr.io/acme/data:1.0.0"})),
        ("persistentVolumeClaim", json!({"claimName": "web"})),
        ("projected", json!({"sources": [{"configMap": {"name": "web"}}]})),
        ("secret", json!({"secretName": "web"})),
    ]
}

/// Those that it doesn't allow.
pub fn forbidden_volumes() -> Vec<(&'static str, Value)> {
    vec![
        ("hostPath", json!({"path": "/"})),
        ("hostPath", json!({"path": "/mnt/data", "type": "Directory"})),
        ("hostPath", json!({"path": "/var/run/docker.sock", "type": ""})),
        ("gcePersistentDisk", json!({"pdName": "web"})),
        ("awsElasticBlockStore", json!({"volumeID": "web"})),
        ("gitRepo", json!({"repository": "https://example.com/web.git"})),
        ("nfs", json!({"server": "nas", "path": "/web"})),
        ("iscsi", json!({"targetPortal": "nas", "iqn": "iqn.2001-04.com.example:web", "lun": 0})),
        ("glusterfs", json!({"endpoints": "nas", "path": "web"})),
        ("rbd", json!({"monitors": ["nas"], "image": "web"})),
        ("flexVolume", json!({"driver": "example.com/web"})),
        ("cinder", json!({"volumeID": "web"})),
        ("cephfs", json!({"monitors": ["nas"]})),
        ("flocker", json!({"datasetName": "web"})),
        ("fc", json!({"targetWWNs": ["50060e801049cfd1"], "lun": 0})),
        ("azureFile", json!({"secretName": "web", "shareName": "web"})),
        ("vsphereVolume", json!({"volumePath": "web"})),
        ("quobyte", json!({"registry": "nas:7861", "volume": "web"})),
        ("azureDisk", json!({"diskName": "web", "diskURI": "https://example.com/web.vhd"})),
        ("photonPersistentDisk", json!({"pdID": "web"})),
        ("portworxVolume", json!({"volumeID": "web"})),
        ("scaleIO", json!({"gateway": "nas", "system": "web", "secretRef": {"name": "web"}})),
        ("storageos", json!({"volumeName": "web"})),
    ]
}
