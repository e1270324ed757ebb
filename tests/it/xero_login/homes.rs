//! Logins into homes on AWS: the order of the writes, the lease, and that nothing of a token is told anywhere.

use super::{Site, logged_in, paste};
use crate::support::cloud::ssm::Seed;
use crate::support::cloud::{Cloud, Effect};
use crate::support::tree::Tree;
use crate::support::xero::{self as local, Effect as FaultOfXero};

/// A site whose home is on a local AWS.
fn on_aws(home: &str, more: &str) -> (Site, Cloud) {
    let cloud = Cloud::start();
    let mut site = Site::of(&format!("home = \"{home}\"\naccount = \"111122223333\""), more);
    for (name, value) in cloud.environment() {
        site.env.set(name, value);
    }
    site.local.login("demo", &["Acme Ltd"]);
    (site.with_app("1"), cloud)
}

#[test]
fn in_ssm_the_refresh_token_is_stored_first_and_the_time_last_under_the_lease() {
    let (site, cloud) = on_aws("ssm", "");
    cloud.reset_calls();
    let output = site.login("1");
    assert!(output.stderr.contains("account 111122223333"), "{}", output.stderr);
    let _ = output.success();
    let put: Vec<String> = cloud
        .calls()
        .iter()
        .filter(|call| call.action == "PutParameter")
        .map(|call| {
            let body: serde_json::Value = serde_json::from_str(&call.body).unwrap();
            body["Name"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
        })
        .collect();
    let place = |name: &str| put.iter().position(|one| one == name).unwrap();
    assert_eq!(put.first().map(String::as_str), Some("lease"));
    assert_eq!(put.last().map(String::as_str), Some("lease"));
    assert!(place("refresh_token") < place("access_token") && place("tenant_id") < place("access_token"));
    assert!(place("access_token") < place("token_expires_at"), "{put:?}");
    let status = site.env.run("xero status --check").success();
    assert!(status.contains("  BY\n") && status.contains("user/"), "AWS tells who wrote: {status}");
    assert_eq!(site.get("xero/1/refresh_token"), site.local.newest("demo").unwrap());
}

#[test]
fn while_somebody_else_holds_the_lease_the_tokens_stay_sealed_and_are_stored_afterwards() {
    let (site, cloud) = on_aws("ssm", "");
    let held = r#"{"strongroom":"lease","state":"held","owner":"bob@laptop","operation":"sync","ttl":90000,"nonce":"n","base":0,"after":null}"#;
    let name = "/demo/_strongroom/local/lease";
    cloud.world(|world| world.ssm.seed(Seed { name, value: held, kind: "String" }));
    let said = site.login("1").failure_after_data(7);
    assert!(said.contains("held by bob@laptop") && said.contains("without another login"), "{said}");
    cloud.world(|world| world.ssm.age(name, 120));
    let _ = site.env.run("--yes resume").success();
    assert_eq!(site.local.count(local::TOKEN), 1);
    assert_eq!(site.get("xero/1/refresh_token"), site.local.newest("demo").unwrap());
}

#[test]
fn whatever_was_stored_when_it_stopped_the_rest_follows_unless_somebody_refreshed_since() {
    for (call, refreshed) in [(1, false), (3, false), (4, false), (3, true)] {
        let (site, cloud) = on_aws("ssm", "");
        // The lease; the tenant and the refresh token together; the access token; the time.
        cloud.fault("ssm:PutParameter", 1 + call..=100, Effect::Deny);
        let said = site.login("1").failure_after_data(7);
        assert!(said.contains("strongroom resume"), "{said}");
        cloud.heal();
        cloud.world(|world| world.ssm.age("/demo/_strongroom/local/lease", 120));
        let ours = site.local.newest("demo").unwrap();
        if refreshed {
            let name = |key: &str| format!("/demo/xero/1/{key}");
            let seed = |key: &str, value: &str| {
                let (name, kind) = (name(key), "SecureString");
                cloud.world(|world| world.ssm.seed(Seed { name: &name, value, kind }));
            };
            seed("refresh_token", "newer");
            seed("access_token", "newer too");
            let output = site.env.run("--yes resume");
            assert!(output.stderr.contains("left as it is"), "{}", output.stderr);
            let _ = output.success();
            assert_eq!(site.get("xero/1/access_token"), "newer too");
            continue;
        }
        let _ = site.env.run("--yes resume").success();
        assert_eq!(site.get("xero/1/refresh_token"), ours);
        let access = site.get("xero/1/access_token");
        assert!(site.local.world(|world| world.bearer(&access)).is_some());
        assert!(!site.get("xero/1/token_expires_at").is_empty());
        site.nothing_is_open();
    }
}

#[test]
fn a_document_of_secrets_manager_gets_all_of_it_in_one_write() {
    let (site, cloud) = on_aws("secretsmanager", "");
    cloud.reset_calls();
    let _ = site.login("1").success();
    let calls = cloud.calls();
    let puts = calls.iter().filter(|call| call.action == "PutSecretValue");
    assert_eq!(puts.filter(|call| call.body.contains("demo/local/xero/1")).count(), 1);
    assert_eq!(site.get("xero/1/refresh_token"), site.local.newest("demo").unwrap());
}

#[test]
fn a_connection_that_xero_refuses_is_authorised_again_and_then_rotates() {
    for home in ["ssm", "vault"] {
        let (site, _cloud) = match home {
            "ssm" => on_aws("ssm", ""),
            _ => {
                let site = Site::with_vault().with_app("1");
                site.local.login("demo", &["Acme Ltd"]);
                (site, Cloud::start())
            }
        };
        let _ = site.login("1").success();
        let _ = site.env.run("--yes rotate xero/1").success();
        let status = site.env.run("xero status --check").success();
        assert!(home == "vault" || (status.contains("Acme Ltd") && status.contains("somebody@")), "{status}");

        site.local.world(|world| world.disconnect(local::CLIENT_ID, "demo"));
        let said = site.env.run("--yes rotate xero/1").failure(8);
        assert!(said.contains("strongroom -e local xero login xero/1"), "{said}");
        if home == "ssm" {
            // Nobody who looks later has to try it: home tells.
            let status = site.env.run("xero status --check");
            assert_eq!(status.code, Some(3), "{}", status.stderr);
            assert!(
                status.stdout.contains("refused") && !status.stdout.contains("59 d"),
                "{}",
                status.stdout
            );
            let told = "Xero refused its refresh token, sent by ";
            assert!(status.stderr.contains(told), "{}", status.stderr);
            assert!(status.stderr.contains("`strongroom xero login xero/1`"), "{}", status.stderr);
            let status: serde_json::Value =
                serde_json::from_str(&site.env.run("xero status --json").success()).unwrap();
            assert!(status["connections"][0]["refused"].as_str().unwrap().ends_with('Z'), "{status}");
        }
        site.local.login("demo", &[]);
        let tenant = site.get("xero/1/tenant_id");
        site.local.world(|world| {
            let one =
                local::world::Tenant { connection: "c".to_owned(), id: tenant, name: "Acme Ltd".to_owned() };
            let of = (local::CLIENT_ID.to_owned(), "demo".to_owned());
            world.tenants.entry(of).or_default().push(one);
        });
        let _ = site.login("1").success();
        let _ = site.env.run("--yes rotate xero/1").success();
        let newest = site.local.newest("demo").unwrap();
        assert_eq!(site.get("xero/1/refresh_token"), newest);
        assert_eq!(site.local.standing(&newest), local::Standing::Live);
        let _ = site.env.run("xero status --check").success();
        site.nothing_is_open();
    }
}

/// What must be nowhere but in home and in sealed files.
#[test]
fn no_token_no_code_and_no_secret_is_told_by_a_login_that_ends_well_or_badly() {
    for home in ["ssm", "vault"] {
        let (mut site, _cloud) = match home {
            "ssm" => on_aws("ssm", ""),
            _ => {
                let site = Site::with_vault().with_app("1");
                site.local.login("demo", &["Acme Ltd"]);
                (site, Cloud::start())
            }
        };
        site.env.set("RUST_LOG", "trace");
        let mut told = String::new();
        let mut codes = Vec::new();
        for path in [None, Some(local::CONNECTIONS), Some(local::TOKEN)] {
            if let Some(path) = path {
                site.local.fault(path, 1..=1, FaultOfXero::Short);
            }
            let output = paste(&site, "1", |address| {
                let back = logged_in(address, "&user=demo");
                codes.push(back.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned());
                back
            });
            told.push_str(&output.stderr);
            site.local.heal();
            for words in
                ["-vv --yes resume", "operations --json", "-vv xero status --ask", "xero status --json"]
            {
                let output = site.env.run(words);
                told.push_str(&output.stdout);
                told.push_str(&output.stderr);
            }
        }
        let (mut secrets, verifier) = site.local.world(|world| {
            let all = world.refresh.iter().map(|one| one.token.clone()).collect::<Vec<_>>();
            (all, "code_verifier=")
        });
        secrets.extend(codes);
        secrets.push(local::CLIENT_SECRET.to_owned());
        secrets.push(site.get("xero/1/access_token"));
        let sent = site.local.calls();
        let form = sent.iter().find(|call| call.path == local::TOKEN).unwrap();
        secrets.push(form.body.split(verifier).nth(1).unwrap().split('&').next().unwrap().to_owned());
        assert!(secrets.iter().all(|secret| secret.len() > 20));
        let tree = Tree::of(&site.env);
        for secret in &secrets {
            assert!(!told.contains(secret.as_str()), "{home}: {told}");
            for file in tree.files() {
                let bytes = tree.bytes(file);
                let is_there = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!is_there, "{home}: {}", file.display());
            }
        }
        assert!(told.contains("xero login xero/1"), "the control: something was told");
    }
}
