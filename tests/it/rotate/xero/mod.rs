//! Xero's tokens: with the real binary, the local Xero, and homes that somebody else writes to too.

mod before;
mod copies;
mod crashes;
mod faults;
mod forget;
mod policies;
mod several;
mod site;
mod split;
mod together;

use crate::support::xero::{self as local};
use site::{RECORD, SPELLED, Site};

#[test]
fn a_pair_is_refreshed_stored_tried_and_told() {
    for home in ["ssm", "secretsmanager", "vault"] {
        let site = Site::connected(home);
        let before = site.tokens("1");
        let output = site.env.run("rotate xero --yes");
        assert_eq!(output.code, Some(0), "{home}: {}", output.stderr);
        site.assert_good(home, "1");
        let after = site.tokens("1");
        assert_ne!(after.refresh, before.refresh, "{home}");
        // Spelled as the app spelled it.
        assert_eq!(after.expires.len(), SPELLED.len(), "{home}: {}", after.expires);
        assert!(after.expires.ends_with("+00:00"), "{home}: {}", after.expires);
        assert_eq!((site.xero.count(local::TOKEN), site.xero.count(local::CONNECTIONS)), (1, 1), "{home}");
        for token in [&before.refresh, &before.access, &after.refresh, &after.access] {
            assert!(!output.stderr.contains(token) && !output.stdout.contains(token), "{home}");
        }
        let undo = site.env.run("undo --yes");
        assert_eq!(site.tokens("1").access, after.access, "{home}: {}", undo.stderr);
    }
}

#[test]
fn home_is_told_before_and_after() {
    let site = Site::connected("ssm");
    let _ = site.env.run("rotate xero/1 --yes").success();
    let told = site.cloud.world(|world| world.ssm.past(&format!("{RECORD}/1")));
    let told: Vec<&str> = told.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(told.len(), 3, "intent, answer, end: {told:?}");
    assert!(told[0].contains("\"first\":") && told[0].contains("\"answer\":null"), "{}", told[0]);
    assert!(told[1].contains("strongroom/answer 1"), "{}", told[1]);
    assert!(told[2].contains("\"open\":null") && told[2].contains("Acme Ltd"), "{}", told[2]);
}
