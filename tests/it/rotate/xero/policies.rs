//! Whoever rotates may do what the printed policy says and nothing else: enough for every shape of a project.

use super::site::{Site, each};
use crate::support::cloud::beanstalk::handles::Seed;
use crate::support::policy::become_bearer;

/// What is in the manifest beside the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    /// A copy that does not take the tokens.
    Another,
    /// A copy that takes them and other groups.
    Taken(&'static str),
    /// A value in home that is derived from them.
    Derived,
}

const GROUPS: &str = r#"
[groups.sent.keys]
SENT = { secret = true }
[groups.kept.keys]
KEPT = { secret = true }
[groups.operator]
audience = "operator"
[groups.operator.keys]
ADMIN = { secret = true }
"#;

fn site(home: &'static str, path: &str, beside: Beside) -> Site {
    let mut site = Site::new(home);
    site.cloud.world(|world| {
        for name in ["dev-app-prod", "dev-app-jobs"] {
            world.beanstalk.add(Seed::new("dev-app", name, crate::aws::DOCKER), jiff::Timestamp::now());
        }
    });
    let (groups, secrets) = match beside {
        Beside::Taken(secrets) => (r#"["sent", "xero"]"#, secrets),
        Beside::Another | Beside::Derived => (r#"["sent"]"#, "value"),
    };
    let derived = match beside {
        Beside::Derived => "BEARER = { derive = \"Bearer {access_token:raw}\" }\n",
        _ => "",
    };
    let copies = format!(
        "[environments.prod.copies.web]\nkind = \"beanstalk\"\napplication = \"dev-app\"\nenvironment = \"dev-app-prod\"\n\
         groups = {groups}\nsecrets = \"{secrets}\"\n\
         [environments.prod.copies.jobs]\nkind = \"beanstalk\"\napplication = \"dev-app\"\nenvironment = \"dev-app-jobs\"\n\
         groups = [\"kept\"]\nsecrets = \"value\"\n"
    );
    let env = "env = \"XERO_{instance}_{key}\"\n";
    let text = site.env.read("strongroom.toml");
    let text = text.replace("[groups.app.keys]", &format!("{copies}{GROUPS}[groups.app.keys]"));
    let text = text.replace("[groups.xero]\n", &format!("[groups.xero]\n{env}{path}"));
    let text = text.replace("token_expires_at = {}\n", &format!("token_expires_at = {{}}\n{derived}"));
    site.env.write("strongroom.toml", text);
    for key in ["sent/SENT", "kept/KEPT", "operator/ADMIN"] {
        let _ = site.env.run_with_stdin(&format!("set {key} --yes"), "canary").success();
    }
    site.connect("1", "demo", "Acme Ltd");
    site.connect("2", "somebody", "Other Ltd");
    let _ = site.env.run("sync --yes").success();
    become_bearer(&site.cloud, &mut site.env, "prod", "rotator");
    site
}

#[test]
fn the_printed_policy_is_enough_whatever_home_is_like_and_whoever_takes_the_tokens() {
    // What Secrets Manager keeps in one document of each instance, or each value by itself.
    let homes = [
        ("ssm", ""),
        ("secretsmanager", ""),
        ("secretsmanager", "path.secretsmanager = \"{project}/xero/{instance}/{key}\"\n"),
    ];
    let besides = [Beside::Another, Beside::Taken("value"), Beside::Taken("reference"), Beside::Derived];
    let cases: Vec<_> =
        homes.into_iter().flat_map(|home| besides.map(|beside| (home.0, home.1, beside))).collect();
    each(&cases, |(home, path, beside)| {
        let site = site(home, path, *beside);
        let output = site.env.run("rotate xero --yes");
        let what = format!("{home} {path} {beside:?}\n{}", output.stderr);
        assert_eq!(output.code, Some(0), "{what}");
        for instance in ["1", "2"] {
            site.assert_good(&what, instance);
        }
        if matches!(beside, Beside::Taken(_)) {
            let seen =
                site.cloud.world(|world| world.beanstalk.container_environment("dev-app-prod").clone());
            assert_eq!(seen["XERO_1_refresh_token"], site.tokens("1").refresh, "{what}");
        }
        for words in ["rotate xero --if-expiring 10m --yes", "rotate --due --yes", "xero status"] {
            let output = site.env.run(words);
            assert_eq!(output.code, Some(0), "{words} in {what}\n{}", output.stderr);
        }
        // What it does not need it may not read.
        let denied = site.env.run("get operator/ADMIN");
        assert_eq!(denied.code, Some(5), "{what}\n{}", denied.stderr);
    });
}
