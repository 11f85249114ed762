//! Servers as processes on a core of their own, and what the system knows about them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Result;

/// A running server; killed with the value.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// The certificate that it shows.
    pub ca: CertificateDer<'static>,
    /// From starting the process to its saying that it listens.
    pub start_milliseconds: u128,
}

impl Process {
    /// This program as the server that `role` names, which says its address and certificate.
    pub fn own(core: Option<&str>, role: &str) -> Result<Self> {
        let mut command = on_core(core, &std::env::current_exe()?);
        command.arg(role).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let started = Instant::now();
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let address = lines.next().ok_or("the server ended")??;
        let pem: Vec<String> = lines.map_while(std::result::Result::ok).take_while(|line| !line.is_empty()).collect();
        let ca = CertificateDer::from_pem_slice(pem.join("\n").as_bytes())?;
        Ok(Self { child, address, ca, start_milliseconds: started.elapsed().as_millis() })
    }

    /// The binary in a mode, with `flags`. It writes its certificate to `directory`.
    pub fn portcullis(core: Option<&str>, directory: &Path, mode: &str, flags: &[&str]) -> Result<Self> {
        let ca = directory.join(mode).with_extension("crt");
        let mut command = on_core(core, Path::new(env!("CARGO_BIN_EXE_portcullis")));
        command
            .args(["serve", "--mode", mode, "--log-format", "json"])
            .args(flags)
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--tls-self-signed", "--tls-write-ca"])
            .arg(&ca)
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn()?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no stderr")?).lines();
        let address = loop {
            let line = lines.next().ok_or("portcullis ended")??;
            let event: serde_json::Value = serde_json::from_str(&line).map_err(|_| line)?;
            if event["message"] == "webhook is listening" {
                break event["address"].as_str().ok_or("no address")?.to_owned();
            }
        };
        let start_milliseconds = started.elapsed().as_millis();
        // Somebody has to read the log, or the server would wait for it.
        std::thread::spawn(move || lines.map_while(std::result::Result::ok).for_each(drop));
        let ca = CertificateDer::from_pem_file(&ca)?;
        Ok(Self { child, address, ca, start_milliseconds })
    }

    /// CPU time used so far, user and system.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // After the name in parentheses; fields 14 and 15 of proc(5), in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).ok_or("no CPU time");
        Ok((ticks(11)? + ticks(12)?) / 100.0)
    }

    /// Memory that is resident.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `program` on one core, or wherever the system puts it.
fn on_core(core: Option<&str>, program: &Path) -> Command {
    let mut command = match core {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.arg("-c").arg(core).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.stdin(Stdio::null());
    command
}

/// Runs this program again, on a core, as `role`.
pub fn rerun_on(core: &str, role: &str, arguments: &[String]) -> Result<()> {
    let status = on_core(Some(core), &std::env::current_exe()?).arg(role).args(arguments).status()?;
    if status.success() { Ok(()) } else { Err(format!("the benchmark ended with {status}").into()) }
}
