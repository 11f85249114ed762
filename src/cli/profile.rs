//! `--profile` and `--disable`: which policies of the bundle a command works with.

use std::path::Path;

use anyhow::anyhow;

use crate::manifests::{display_name, read_manifest};
use crate::policy::{
    LoadError, Manifest, ProfileFiles, Selection, Shipped, is_profile_file, load_profile, shipped, shipped_profile,
};

use super::load::refuse;

/// What is on where nobody says otherwise.
pub const DEFAULT_PROFILE: &str = "baseline";

/// Which policies of the bundle are on.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Policies")]
pub struct ProfileFlags {
    /// Which of the embedded policies are on, and whether they deny or warn: baseline (the default), restricted,
    /// media-server, or a file (docs/profiles.md); policies list shows them
    #[arg(long, value_name = "NAME|FILE", value_parser = profile_name, conflicts_with = "no_embedded")]
    pub profile: Option<String>,

    /// Turns an embedded policy off, whatever profile or binding turns it on, or a rule of the audit (repeatable)
    #[arg(long = "disable", value_name = "POLICY", value_parser = embedded_policy, conflicts_with = "no_embedded")]
    pub disabled: Vec<Shipped>,
}

impl ProfileFlags {
    /// The profile's name or path.
    pub fn name(&self) -> &str {
        self.profile.as_deref().unwrap_or(DEFAULT_PROFILE)
    }

    /// Reads the profile; any mistake in it is an error.
    ///
    /// # Errors
    /// A file that can't be read; every mistake in what was read.
    pub fn select(&self) -> anyhow::Result<Selection> {
        let (selection, errors) = self.select_from(&OnDisk);
        refuse(&errors)?;
        selection.ok_or_else(|| anyhow!("--profile {}: it can't be used", self.name()))
    }

    /// What the profile in `files` selects, and what is wrong with it. Without a selection it can't be used.
    pub fn select_from(&self, files: &dyn ProfileFiles) -> (Option<Selection>, Vec<LoadError>) {
        let (mut selection, errors) = load_profile(self.name(), files);
        if let Some(selection) = &mut selection {
            self.disabled.iter().for_each(|of| selection.turn_off(*of, "--disable"));
        }
        (selection, errors)
    }
}

/// The files as they are now.
pub struct OnDisk;

impl ProfileFiles for OnDisk {
    fn read(&self, from: &str, path: &str) -> Result<Manifest, String> {
        read_manifest(Path::new(&beside(from, path))).map_err(|error| format!("{}: {}", error.name, error.problem))
    }
}

/// The path that a profile's file means by `path`.
pub fn beside(from: &str, path: &str) -> String {
    display_name(&Path::new(from).parent().unwrap_or(Path::new("")).join(path))
}

fn profile_name(text: &str) -> Result<String, String> {
    if !is_profile_file(text) {
        shipped_profile(text)?;
    }
    Ok(text.to_owned())
}

fn embedded_policy(name: &str) -> Result<Shipped, String> {
    shipped(name).map_err(|advice| format!("no shipped policy has this name; {advice}"))
}
