//! `recipients`: who opens what, before and after, and what is refused.

use crate::support::env::TestEnv;
use crate::support::program;
use std::fs;
use strongroom::seal::Identities;

/// A project with a secret in its vault.
fn project() -> TestEnv {
    let env = TestEnv::new().with_file(".env", "TOKEN=invented\nMODE=dev\n");
    let _ = env.run("init --yes --from-dotenv .env").success();
    env
}

/// A new identity in the home folder, and its public key.
fn stranger(env: &TestEnv, name: &str) -> String {
    let identities = Identities::generate();
    fs::write(env.home(name), identities.to_file().as_bytes()).unwrap();
    identities.recipients()[0].to_string()
}

/// A run as somebody else.
fn as_other(env: &TestEnv, identity: &str, words: &str) -> crate::support::env::Output {
    env.sh(&format!("STRONGROOM_IDENTITY='{}' strongroom {words}", env.home(identity).display()))
}

#[test]
fn who_is_added_opens_the_vault_and_who_is_removed_does_not_open_the_new_one() {
    let env = project();
    let text =
        env.read("strongroom.toml").replace("recipients = [\n", "recipients = [\n    # the founders\n");
    env.write("strongroom.toml", &text);
    let ada = stranger(&env, "ada.txt");
    assert!(as_other(&env, "ada.txt", "get TOKEN").failure(5).contains("not sealed to this identity"));
    let _ = env.args(["recipients", "add", &ada, "--yes"]).success();
    assert_eq!(as_other(&env, "ada.txt", "get TOKEN").success(), "invented");
    assert_eq!(env.run("get TOKEN").success(), "invented");
    assert!(env.read("strongroom.toml").contains("# the founders"));
    let old = fs::read(env.path(".strongroom/local.age")).unwrap();

    let output = env.args(["recipients", "remove", &ada, "--yes"]);
    assert!(output.stderr.contains("older vaults in version control"), "{}", output.stderr);
    assert!(
        output.stderr.contains("rotate the secrets that they knew: local app/TOKEN\n"),
        "{}",
        output.stderr
    );
    let _ = output.success();
    assert_eq!(env.read("strongroom.toml"), text);
    let _ = as_other(&env, "ada.txt", "get TOKEN").failure(5);
    assert_eq!(env.run("get TOKEN").success(), "invented");
    // What they kept, they still read.
    env.write("strongroom.toml", text.replace("    # the founders\n", &format!("    \"{ada}\",\n")));
    env.write(".strongroom/local.age", old);
    assert_eq!(as_other(&env, "ada.txt", "get TOKEN").success(), "invented");
}

#[test]
fn a_command_that_was_cut_short_behind_the_manifest_is_finished_by_itself() {
    let env = project();
    let (before, ada) = (env.read("strongroom.toml"), stranger(&env, "ada.txt"));
    env.write(
        "strongroom.toml",
        before.replace("recipients = [\n", &format!("recipients = [\n    \"{ada}\",\n")),
    );
    let _ = as_other(&env, "ada.txt", "get TOKEN").failure(5);
    let _ = env.args(["recipients", "add", &ada, "--yes"]).success();
    assert_eq!(as_other(&env, "ada.txt", "get TOKEN").success(), "invented");
    env.write("strongroom.toml", before);
    let _ = env.args(["recipients", "remove", &ada, "--yes"]).success();
    let _ = as_other(&env, "ada.txt", "get TOKEN").failure(5);
}

#[test]
fn nobody_shuts_out_themselves_or_everybody() {
    let env = project();
    let own: serde_json::Value = serde_json::from_str(&env.run("recipients list --json").success()).unwrap();
    let own = own["recipients"][0]["recipient"].as_str().unwrap().to_owned();
    let before = (env.read("strongroom.toml"), fs::read(env.path(".strongroom/local.age")).unwrap());
    let stderr = env.args(["recipients", "remove", &own, "--yes"]).failure(2);
    assert!(stderr.contains("the last recipient cannot be removed"), "{stderr}");
    assert_eq!((env.read("strongroom.toml"), fs::read(env.path(".strongroom/local.age")).unwrap()), before);
    let ada = stranger(&env, "ada.txt");
    let _ = env.args(["recipients", "add", &ada, "--yes"]).success();
    let stderr = env.args(["recipients", "remove", &own, "--yes"]).failure(2);
    assert!(stderr.contains("this is you"), "{stderr}");
    let listed = env.run("recipients list").success();
    assert!(listed.contains(&format!("{own}  you\n")) && listed.contains(&format!("{ada}  -\n")), "{listed}");
}

#[test]
fn who_cannot_open_the_vault_cannot_say_who_can() {
    let env = project();
    let (before, ada) = (env.read("strongroom.toml"), stranger(&env, "ada.txt"));
    let _ = as_other(&env, "ada.txt", &format!("recipients add {ada} --yes")).failure(5);
    assert_eq!(env.read("strongroom.toml"), before);
}

#[test]
fn a_private_key_given_by_mistake_is_not_repeated() {
    let env = project();
    let private = Identities::generate().to_file().lines().last().unwrap().to_owned();
    fs::write(env.home("key"), "-----BEGIN OPENSSH PRIVATE KEY-----\ninvented\n").unwrap();
    let by_file =
        env.args(["recipients".as_ref(), "add".as_ref(), "--file".as_ref(), env.home("key").as_os_str()]);
    for output in [env.args(["recipients", "add", &private]), by_file] {
        let stderr = output.failure(2);
        assert!(
            stderr.contains("private") && !stderr.contains("AGE-SECRET") && !stderr.contains("invented"),
            "{stderr}"
        );
    }
    assert!(env.run("recipients add age1nonsense").failure(2).contains("not a recipient"));
}

#[test]
fn an_ssh_key_opens_the_vault_here_and_with_the_real_age() {
    let (Some(keygen), Some(age)) = (program("ssh-keygen"), program("age")) else { return };
    let env = project();
    let mut command = env.command(keygen);
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "ada at home", "-f"]).arg(env.home("id_ed25519"));
    let _ = env.finish(command, b"").success();
    let public = env.home("id_ed25519.pub");
    let _ = env.args(["recipients", "add", "--yes", "--file", public.to_str().unwrap()]).success();
    assert!(env.read("strongroom.toml").contains("ada at home\","));
    assert_eq!(as_other(&env, "id_ed25519", "get TOKEN").success(), "invented");
    let _ = as_other(&env, "id_ed25519", "set TOKEN --generate --yes").success();
    let mut command = env.command(age);
    command.arg("-d").arg("-i").arg(env.home("id_ed25519")).arg(env.path(".strongroom/local.age"));
    let opened = env.finish(command, b"").success();
    assert!(opened.contains(&env.run("get TOKEN").success()), "what age opened is not the vault");
    // Without quotes and with another comment it is the same key.
    let words = fs::read_to_string(public).unwrap().replace("ada at home", "ada at work");
    let _ = env.run(&format!("recipients remove {words} --yes")).success();
    let _ = as_other(&env, "id_ed25519", "get TOKEN").failure(5);
}
