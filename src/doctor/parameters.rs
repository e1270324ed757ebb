//! SSM parameters that are other than the manifest declares, or open where they should be sealed.

use super::finding::Finding;
use crate::name::Address;
use crate::store::Stray;

/// What differs of one parameter. `plain` is whether it is a secret that anybody may read who may read parameters.
pub fn parameter(address: &Address, at: &str, strays: &[Stray], plain: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if plain {
        let finding =
            Finding::problem("secret-not-encrypted", format!("{address} is a secret in a String parameter"))
                .why("no key guards it: whoever may read parameters reads it, and consoles show it");
        findings.push(finding.fix(format!(
            "write `type = \"SecureString\"` for it in the manifest or leave `type` out; then delete the parameter, wait 30 \
             seconds, and `strongroom set {address}`"
        )));
    }
    let others = strays.iter().filter(|_| !plain);
    findings.extend(others.map(|stray| {
        Finding::warning("parameter-differs", format!("{address}: {stray}"))
            .why("strongroom keeps what the account has, so that nobody loses access by a change of a value")
            .fix("correct the manifest, or let a change say --rekey")
    }));
    findings.into_iter().map(|finding| finding.location(at)).collect()
}

/// Secrets that are scheduled for deletion.
pub fn leaving(name: &str, at: &str, when: jiff::Timestamp) -> Finding {
    Finding::problem("scheduled-for-deletion", format!("{name} is scheduled for deletion (AWS says {when})"))
        .why("its values count as missing, and are gone for good then")
        .fix(format!(
            "`aws secretsmanager restore-secret --secret-id {name}`, or set its values: that restores it"
        ))
        .location(at)
}
