//! The file of the identity that opens vaults.

use super::finding::Finding;

/// What was found out about the file.
#[derive(Debug, Clone)]
pub struct IdentityFile {
    /// Its path.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
    /// Whether git has it in its index.
    pub tracked: bool,
    /// Whether it says of itself that it is public, and for trying.
    pub demo: bool,
}

/// Who else can open what is sealed to it.
pub fn identity(file: &IdentityFile) -> Vec<Finding> {
    let path = &file.path;
    if file.demo {
        let finding = Finding::note("demo-identity", "the identity in use is one that is public")
            .why("everybody can open what is sealed to it: for trying only")
            .fix("`strongroom init` makes one of your own; `unset STRONGROOM_IDENTITY`");
        return vec![finding.file(path)];
    }
    let mut findings = Vec::new();
    if file.mode & 0o077 != 0 {
        let what = format!("the identity has mode {:04o}, wider than 0600", file.mode & 0o777);
        let finding = Finding::problem("identity-mode", what)
            .why("everybody with an account on the machine can open the vaults")
            .fix(format!("`chmod 600 {path}`"));
        findings.push(finding.file(path));
    }
    if file.tracked {
        let finding = Finding::problem("identity-in-git", "git tracks the identity")
            .why("whoever can read the repository can open the vaults, older ones too")
            .fix(format!(
                "`git rm --cached {path}`, make a new identity with `strongroom init`, remove the old one with \
                 `strongroom recipients remove`, and give new values to what it could open"
            ));
        findings.push(finding.file(path));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture::places;

    #[test]
    fn an_identity_is_private_or_says_that_it_is_public() {
        let found = |mode, tracked, demo| {
            places(&identity(&IdentityFile { path: "id.txt".to_owned(), mode, tracked, demo }))
        };
        assert_eq!(found(0o100_600, false, false), Vec::<String>::new());
        assert_eq!(found(0o100_640, true, false), ["identity-mode id.txt", "identity-in-git id.txt"]);
        assert_eq!(found(0o100_644, true, true), ["demo-identity id.txt"]);
    }
}
