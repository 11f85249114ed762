//! The memory that the control group of this process allows it, by version 2 or 1 of the kernel's interface.

use std::path::{Path, PathBuf};

/// Version 1 writes "no limit" as the largest number of pages; nothing above this is a limit.
const UNLIMITED_FROM: u64 = 1 << 60;

/// The strictest limit of this process' control group and those around it, in bytes; `None` where there is none.
pub fn memory_limit() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    limit(&groups, Path::new("/sys/fs/cgroup"))
}

/// The strictest limit of the groups in the text of `/proc/self/cgroup`.
fn limit(groups: &str, root: &Path) -> Option<u64> {
    groups
        .lines()
        .filter_map(|line| hierarchy(line, root))
        .filter_map(|(base, group, file)| strictest(&base, group, file))
        .min()
}

/// For a line that is about memory: where that hierarchy is mounted, the group in it, and the file with the limit.
fn hierarchy<'a>(line: &'a str, root: &Path) -> Option<(PathBuf, &'a str, &'static str)> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
    match controllers {
        "" => Some((root.to_owned(), group, "memory.max")),
        _ if controllers.split(',').any(|controller| controller == "memory") => {
            Some((root.join("memory"), group, "memory.limit_in_bytes"))
        }
        _ => None,
    }
}

/// The strictest limit from `group` up to the root of its hierarchy. In a container the group's path may be that of the
/// host, of which only the root is mounted.
fn strictest(base: &Path, group: &str, file: &str) -> Option<u64> {
    let group = Path::new(group.trim_start_matches('/'));
    let limits = group.ancestors().filter_map(|ancestor| {
        let text = std::fs::read_to_string(base.join(ancestor).join(file)).ok()?;
        text.trim().parse().ok().filter(|limit| *limit < UNLIMITED_FROM)
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of control groups with the given files.
    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (file, text) in files {
            let file = root.path().join(file);
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            std::fs::write(file, text).expect("a file");
        }
        root
    }

    #[test]
    fn reads_the_strictest_limit_of_either_version() {
        for (groups, files, expected) in [
            ("0::/\n", &[("memory.max", "536870912\n")][..], Some(512 << 20)),
            ("0::/pod/app\n", &[("pod/memory.max", "1000\n"), ("pod/app/memory.max", "max\n")], Some(1000)),
            ("0::/pod/app\n", &[("pod/memory.max", "3000\n"), ("pod/app/memory.max", "2000\n")], Some(2000)),
            ("0::/host/path\n", &[("memory.max", "4000\n")], Some(4000)),
            ("0::/\n", &[("memory.max", "max\n")], None),
            ("0::/\n", &[], None),
            ("5:cpu,memory:/a\n0::/\n", &[("memory/a/memory.limit_in_bytes", "5000\n")], Some(5000)),
            ("5:memory:/\n", &[("memory/memory.limit_in_bytes", "9223372036854771712\n")], None),
            ("5:memory:/a\n", &[("memory/memory.limit_in_bytes", "6000\n")], Some(6000)),
            ("5:cpu:/\n", &[("memory/memory.limit_in_bytes", "6000\n")], None),
            ("no such line\n", &[("memory.max", "1\n")], None),
        ] {
            let root = tree(files);
            assert_eq!(limit(groups, root.path()), expected, "{groups} {files:?}");
        }
    }
}
