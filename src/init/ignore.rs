//! What version control must not see: rendered files, and what a crash may leave beside them.
//!
//! Owns the lines that are added to a .gitignore, and when none is needed. The vault's folder has one of its own.

use crate::durable;

/// A .gitignore with the lines that it lacks for these files, whose paths start at its folder; `None` where it has all.
/// Nothing of what is there is changed, and line ends are those of the text.
pub fn extended(text: &str, files: &[&str]) -> Option<String> {
    let wanted = files.iter().map(|file| pattern(file)).chain([format!("*{}", durable::TEMPORARY)]);
    let mut missing: Vec<String> = wanted.filter(|pattern| !covers(text, pattern)).collect();
    missing.dedup();
    if missing.is_empty() {
        return None;
    }
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut extended = text.to_owned();
    if !text.is_empty() {
        extended.push_str(line_end);
        extended.push_str(if text.ends_with('\n') { "" } else { line_end });
    }
    extended.push_str(&format!("# files that strongroom renders, which hold secrets{line_end}"));
    missing.iter().for_each(|pattern| extended.extend([pattern, line_end]));
    Some(extended)
}

/// The pattern of exactly this file, from the .gitignore's folder on; what has a meaning in patterns is escaped.
pub fn pattern(file: &str) -> String {
    let mut pattern = String::from("/");
    for c in file.chars() {
        if matches!(c, '\\' | '*' | '?' | '[' | ']') || (c == ' ' && file.ends_with(' ')) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Whether a text ignores what this pattern stands for, as far as that is plain to see: by itself, by the file's name, or
/// by a folder on the way. Where the text takes anything back with `!`, only the pattern itself is believed.
fn covers(text: &str, pattern: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    if lines.contains(&pattern) {
        return true;
    }
    let path = pattern.trim_start_matches('/');
    let mut ways = vec![path.to_owned(), path.rsplit('/').next().unwrap_or(path).to_owned()];
    for (at, _) in path.match_indices('/') {
        let folder = &path[..at];
        ways.extend(
            ["", "/", "/*", "/**"]
                .iter()
                .flat_map(|end| [format!("{folder}{end}"), format!("/{folder}{end}")]),
        );
    }
    !lines.iter().any(|line| line.starts_with('!'))
        && lines.iter().any(|line| ways.iter().any(|way| way == line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "# files that strongroom renders, which hold secrets";

    #[test]
    fn an_empty_one_gets_each_file_and_what_a_crash_leaves() {
        assert_eq!(
            extended("", &[".env", ".envs/.production/.django"]).unwrap(),
            format!("{HEADING}\n/.env\n/.envs/.production/.django\n*.strongroom-tmp\n")
        );
    }

    #[test]
    fn what_is_there_stays_as_it_is_with_its_line_ends() {
        assert_eq!(extended("target", &[]).unwrap(), format!("target\n\n{HEADING}\n*.strongroom-tmp\n"));
        assert_eq!(
            extended("a\r\nb\r\n", &["x"]).unwrap(),
            format!("a\r\nb\r\n\r\n{HEADING}\r\n/x\r\n*.strongroom-tmp\r\n")
        );
    }

    #[test]
    fn nothing_is_said_twice() {
        let once = extended("x\n", &[".env", "a b*/c"]).unwrap();
        assert_eq!(extended(&once, &[".env", "a b*/c"]), None);
    }

    #[test]
    fn a_line_that_covers_a_file_is_enough_unless_something_is_taken_back() {
        for line in [".env", "/.envs", ".envs/", ".envs/*", "/.envs/.production", ".django", ".envs/**"] {
            let text = format!("{line}\n*.strongroom-tmp\n");
            let file = if line == ".env" { ".env" } else { ".envs/.production/.django" };
            assert_eq!(extended(&text, &[file]), None, "{line}");
            assert!(extended(&format!("{text}!.envs/.local/\n"), &[file]).is_some(), "{line}");
        }
        for line in ["# .env", ".envx", "env", "x/.env", ".env/"] {
            assert!(extended(&format!("{line}\n*.strongroom-tmp\n"), &[".env"]).is_some(), "{line}");
        }
    }
}
