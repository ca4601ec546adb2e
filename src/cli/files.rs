//! How many files a process may have open; every connection is one.

/// What this process, and one it starts, may have open; unknown where there is no `/proc`.
pub(super) fn allowed() -> Option<usize> {
    of(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

/// From the text of `/proc/<pid>/limits`: the soft limit stands first.
fn of(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_counts_and_no_limit_is_none() {
        let limits = |soft: &str| {
            format!("Limit        Soft Limit  Hard Limit  Units\nMax open files     {soft}    524288   files\n")
        };
        assert_eq!(of(&limits("1024")), Some(1024));
        assert_eq!(of(&limits("unlimited")), None);
        assert_eq!(of(""), None);
    }
}
