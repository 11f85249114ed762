//! The serving certificate: read from files and read again when they change, or made on the spot.
//!
//! Secret volumes change by swapping a symbolic link, and cert-manager may write the key after the certificate, so
//! contents are compared rather than watched: what doesn't fit together is reported, and what was good stays in use. So
//! it does when the new certificate has expired or isn't valid yet, until its time comes or that of the one in use ends.

use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::regular_file;

use super::metrics::Metrics;

/// Where the serving certificate comes from.
#[derive(Clone, Debug)]
pub enum Identity {
    /// PEM files, as in a `kubernetes.io/tls` Secret.
    Files {
        /// The certificate, followed by any intermediates.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// A certificate made at start, for development and for tests.
    SelfSigned {
        /// DNS names and addresses that it is valid for.
        names: Vec<String>,
        /// Where to write the certificate (not the key), to be used as the clients' CA.
        write_to: Option<PathBuf>,
    },
}

/// What is wrong with a certificate, key or CA file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read or written.
    #[error("{file}: {error}", file = .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// A file isn't PEM, or holds no such thing.
    #[error("{file}: no usable PEM {what}: {why}", file = .file.display())]
    Pem {
        /// The file.
        file: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
        /// The parser's complaint.
        why: String,
    },
    /// Certificate and key don't belong together, or TLS can't use them.
    #[error("{certificate} and {key} can't be used together: {error}", certificate = .certificate.display(), key = .key.display())]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// The library's complaint.
        error: rustls::Error,
    },
    /// The certificate can't be read as X.509.
    #[error("{0}: not an X.509 certificate")]
    X509(String),
    /// The certificate isn't valid now, and the one in use is.
    #[error("{file}: valid from {from} to {until} only", file = .file.display(), from = timestamp(.validity.from), until = timestamp(.validity.until))]
    OutOfTime {
        /// The certificate's file.
        file: PathBuf,
        /// When it is valid.
        validity: Validity,
    },
    /// The CA for client certificates can't be used.
    #[error("{file}: not usable as a CA for clients: {why}", file = .file.display())]
    ClientCa {
        /// The file.
        file: PathBuf,
        /// The library's complaint.
        why: String,
    },
    /// A certificate couldn't be made.
    #[error("can't make a self-signed certificate: {0}")]
    SelfSigned(#[from] rcgen::Error),
    /// The TLS library refuses the settings.
    #[error("TLS: {0}")]
    Settings(#[from] rustls::Error),
}

/// When a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    from: SystemTime,
    until: SystemTime,
}

impl Validity {
    fn holds(self, now: SystemTime) -> bool {
        self.from <= now && now <= self.until
    }
}

/// The bytes that a configuration was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Material {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Vec<u8>,
}

/// The TLS side of the webhook.
#[derive(Debug)]
pub struct Tls {
    files: Files,
    config: Arc<ArcSwap<ServerConfig>>,
    state: Mutex<State>,
    reloads: bool,
}

/// The files that make up a configuration; for a self-signed certificate, names for messages.
#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

#[derive(Debug)]
struct State {
    /// What was read last, good or bad, so that each change is judged and reported once.
    seen: Option<Material>,
    validity: Validity,
    /// Why the files can't be used at present.
    error: Option<String>,
}

impl Tls {
    /// Loads or makes the certificate.
    ///
    /// # Errors
    /// At the start there is nothing to fall back on, so any error in the files is returned.
    pub fn new(identity: &Identity, client_ca: Option<PathBuf>) -> Result<Self, Error> {
        let (files, material, reloads) = match identity {
            Identity::Files { certificate, key } => {
                let files = Files { certificate: certificate.clone(), key: key.clone(), client_ca };
                let material = files.read()?;
                (files, material, true)
            }
            Identity::SelfSigned { names, write_to } => {
                let (certificate, key) = self_signed(names)?;
                if let Some(file) = write_to {
                    std::fs::write(file, &certificate).map_err(|error| Error::File { file: file.clone(), error })?;
                }
                let files =
                    Files { certificate: "(self-signed certificate)".into(), key: "(its key)".into(), client_ca };
                let client_ca = files.read_client_ca()?;
                (files, Material { certificate: certificate.into_bytes(), key: key.into_bytes(), client_ca }, false)
            }
        };
        let (config, validity) = files.configure(&material)?;
        Ok(Self {
            files,
            config: Arc::new(ArcSwap::from_pointee(config)),
            state: Mutex::new(State { seen: Some(material), validity, error: None }),
            reloads,
        })
    }

    /// The configuration for the next connection.
    pub fn config(&self) -> Arc<ArcSwap<ServerConfig>> {
        Arc::clone(&self.config)
    }

    /// When the certificate in use expires.
    pub fn expires(&self) -> SystemTime {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).validity.until
    }

    /// Why the certificate files can't be used at present, if they can't.
    pub fn error(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).error.clone()
    }

    /// Whether there are files to look at again.
    pub fn reloads(&self) -> bool {
        self.reloads
    }

    /// Reads the files again and uses them if they changed and are good.
    pub fn refresh(&self, metrics: &Metrics) {
        let read = self.files.read();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, outcome) = match read {
            Ok(material) if state.error.is_none() && state.seen.as_ref() == Some(&material) => return,
            Ok(material) => {
                let outcome = self.files.configure(&material).and_then(|made| self.in_time(made, state.validity));
                (Some(material), outcome)
            }
            Err(error) => (None, Err(error)),
        };
        // Reported when it begins. What can't be used is judged anew each time, for its time may have come.
        if let Err(error) = &outcome
            && state.seen == seen
            && state.error.as_deref() == Some(&error.to_string())
        {
            return;
        }
        state.seen = seen;
        match outcome {
            Ok((config, validity)) => {
                self.config.store(Arc::new(config));
                state.validity = validity;
                state.error = None;
                metrics.certificate_reloads.with_label_values(&["success"]).inc();
                tracing::info!(
                    certificate = %self.files.certificate.display(),
                    expires = %timestamp(validity.until),
                    "certificate reloaded"
                );
            }
            Err(error) => {
                metrics.certificate_reloads.with_label_values(&["error"]).inc();
                tracing::error!(%error, "new certificate can't be used; the previous one stays in use");
                state.error = Some(error.to_string());
            }
        }
        drop(state);
        self.publish(metrics);
    }

    /// Refuses what isn't valid now in place of what is.
    fn in_time(
        &self,
        (config, validity): (ServerConfig, Validity),
        in_use: Validity,
    ) -> Result<(ServerConfig, Validity), Error> {
        let now = SystemTime::now();
        if in_use.holds(now) && !validity.holds(now) {
            return Err(Error::OutOfTime { file: self.files.certificate.clone(), validity });
        }
        Ok((config, validity))
    }

    /// Writes the certificate's state into the metrics.
    pub fn publish(&self, metrics: &Metrics) {
        metrics.certificate_expiry.set(unix_seconds(self.expires()));
        metrics.certificate_load_error.set(i64::from(self.error().is_some()));
    }
}

impl Files {
    fn read(&self) -> Result<Material, Error> {
        Ok(Material {
            certificate: read_file(&self.certificate)?,
            key: read_file(&self.key)?,
            client_ca: self.read_client_ca()?,
        })
    }

    fn read_client_ca(&self) -> Result<Vec<u8>, Error> {
        Ok(self.client_ca.as_deref().map(read_file).transpose()?.unwrap_or_default())
    }

    fn configure(&self, material: &Material) -> Result<(ServerConfig, Validity), Error> {
        let chain = certificates(&material.certificate, &self.certificate)?;
        let validity = chain
            .first()
            .and_then(|leaf| validity(leaf))
            .ok_or_else(|| Error::X509(self.certificate.display().to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(&material.key).map_err(|error| Error::Pem {
            file: self.key.clone(),
            what: "private key",
            why: error.to_string(),
        })?;
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let refuse = |why: String| Error::ClientCa { file: file.clone(), why };
                let mut roots = RootCertStore::empty();
                for certificate in certificates(&material.client_ca, file)? {
                    roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                    .build()
                    .map_err(|error| refuse(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| Error::Pair {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            error,
        })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok((config, validity))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The largest file that is read, in bytes: a chain takes some KiB, a bundle of all public CAs 200 KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads a regular file.
fn read_file(file: &Path) -> Result<Vec<u8>, Error> {
    let read = || {
        let mut bytes = Vec::new();
        regular_file::open(file)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(std::io::Error::other(format!("larger than {} KiB", MAX_FILE_BYTES >> 10)));
        }
        Ok(bytes)
    };
    read().map_err(|error| Error::File { file: file.to_owned(), error })
}

fn certificates(pem: &[u8], file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let refuse = |why: String| Error::Pem { file: file.to_owned(), what: "certificate", why };
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| refuse(error.to_string()))?;
    if chain.is_empty() { Err(refuse("the file has no CERTIFICATE block".to_owned())) } else { Ok(chain) }
}

fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let time = |seconds: i64| UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    let (from, until) = (parsed.validity().not_before, parsed.validity().not_after);
    Some(Validity { from: time(from.timestamp())?, until: time(until.timestamp())? })
}

/// How long a self-signed certificate is valid; its holder is restarted more often than that.
const SELF_SIGNED_DAYS: i64 = 365;

/// A certificate and its key, in PEM.
fn self_signed(names: &[String]) -> Result<(String, String), Error> {
    let key = rcgen::KeyPair::generate()?;
    let mut params = rcgen::CertificateParams::new(Vec::new())?;
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => rcgen::SanType::IpAddress(address),
            Err(_) => rcgen::SanType::DnsName(name.as_str().try_into()?),
        });
    }
    params.distinguished_name.push(rcgen::DnType::CommonName, "portcullis");
    params.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ServerAuth);
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let day = |date: jiff::civil::Date| {
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    // Clocks differ a little.
    params.not_before = day(today.saturating_sub(jiff::Span::new().days(1)));
    params.not_after = day(today.saturating_add(jiff::Span::new().days(SELF_SIGNED_DAYS)));
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Seconds since 1970, 0 for times before.
pub fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// RFC 3339, for people.
pub fn timestamp(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| "at an unknown time".to_owned(), |time| format!("{time:.0}"))
}
