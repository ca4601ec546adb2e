//! What the audience sees: steps, and in each what was expected beside what was seen.

/// Prints as it goes, and remembers whether all of it was right.
#[derive(Default)]
pub struct Stage {
    steps: usize,
    checks: usize,
    surprises: usize,
}

impl Stage {
    /// The next step: a title, and a sentence that says what happens.
    pub fn step(&mut self, title: &str, sentence: &str) {
        self.steps += 1;
        println!("\n{:>2}. {title}\n    {sentence}", self.steps);
    }

    /// One observation.
    pub fn see(&mut self, what: &str, expected: impl AsRef<str>, seen: impl AsRef<str>) {
        let (expected, seen) = (expected.as_ref(), seen.as_ref());
        self.checks += 1;
        let right = expected == seen;
        if !right {
            self.surprises += 1;
        }
        println!("{}", line(right, what, expected, seen));
    }

    /// Whether everything seen was what was expected, and anything was seen at all.
    #[must_use]
    pub fn all_as_expected(&self) -> bool {
        self.surprises == 0 && self.checks > 0
    }

    /// The last word.
    #[must_use]
    pub fn summary(&self) -> String {
        let Stage {
            steps,
            checks,
            surprises,
        } = self;
        if self.all_as_expected() {
            format!("{steps} steps, {checks} checks, all as expected.")
        } else {
            format!("{steps} steps, {checks} checks, {surprises} NOT as expected.")
        }
    }
}

fn line(right: bool, what: &str, expected: &str, seen: &str) -> String {
    let mark = if right { "ok" } else { "NO" };
    format!("    {mark}  {what:<28} expected  {expected:<38}  seen  {seen}")
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_surprise_is_enough_and_silence_is_no_success() {
        let mut stage = Stage::default();
        assert!(!stage.all_as_expected());
        stage.step("A title", "A sentence.");
        stage.see("a thing", "1000", "1000");
        assert!(stage.all_as_expected());
        stage.see("a thing", "1000", "2001");
        assert!(!stage.all_as_expected() && stage.summary().contains("1 NOT as expected"));
    }

    #[test]
    fn a_line_shows_both_sides() {
        let line = line(false, "the CPO hears", "201, 1000", "200, 2001");
        assert!(
            line.starts_with("    NO  the CPO hears")
                && line.contains("expected  201, 1000")
                && line.ends_with("seen  200, 2001")
        );
    }
}
