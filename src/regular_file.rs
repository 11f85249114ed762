//! Opens regular files and nothing else. Looking first and opening then leaves a moment in which the file can be
//! replaced, and a FIFO without a writer keeps whoever opens it waiting for ever.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens `path` for reading; never waits for another process.
///
/// # Errors
/// It can't be opened, or is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    // The flag's value as the system defines it; it means nothing to a regular file.
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    match file.metadata()?.file_type().is_file() {
        true => Ok(file),
        false => Err(io::Error::other("not a regular file")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn opens_regular_files_and_waits_for_nothing_else() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = |name: &str| dir.path().join(name);
        std::fs::write(path("file"), "text")?;
        symlink("file", path("link"))?;
        for name in ["file", "link"] {
            let mut text = String::new();
            open(&path(name))?.read_to_string(&mut text)?;
            assert_eq!(text, "text", "{name}");
        }
        assert!(Command::new("mkfifo").arg(path("fifo")).status()?.success());
        symlink("fifo", path("to-fifo"))?;
        for path in [path("fifo"), path("to-fifo"), dir.path().to_owned(), "/dev/null".into()] {
            let error = open(&path).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some("not a regular file"), "{}", path.display());
        }
        assert_eq!(open(&path("none")).err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
        Ok(())
    }
}
