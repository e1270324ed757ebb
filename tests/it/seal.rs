//! What we seal opens with Debian's `age` program, and the other way round, with every kind of key that we take.

use crate::support::env::TestEnv;
use crate::support::machine::program;
use std::path::Path;
use std::process::{Command, Stdio};
use strongroom::seal::{self, Identities, InvalidIdentity, OpenError, Recipient};
use zeroize::Zeroizing;

const PLAIN: &[u8] = "a value, é, and \0 as age carries it".as_bytes();

fn nobody() -> Option<Zeroizing<String>> {
    None
}

/// Runs a program and gives its stdout.
fn output(command: &mut Command, stdin: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// An identity file, as its own program makes it, and its recipient.
fn age_identity(folder: &Path, name: &str) -> (Identities, Recipient) {
    let path = folder.join(name);
    output(Command::new(program("age-keygen").unwrap()).arg("-o").arg(&path), b"");
    let public = output(Command::new(program("age-keygen").unwrap()).arg("-y").arg(&path), b"");
    let identity = Identities::parse(&std::fs::read(&path).unwrap(), &mut nobody).unwrap();
    (identity, String::from_utf8(public).unwrap().parse().unwrap())
}

fn ssh_identity(folder: &Path, name: &str, passphrase: &str) -> (Vec<u8>, Recipient) {
    let path = folder.join(name);
    let mut keygen = Command::new(program("ssh-keygen").unwrap());
    output(
        keygen.args(["-q", "-t", "ed25519", "-C", "someone@example", "-N", passphrase, "-f"]).arg(&path),
        b"",
    );
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap();
    (std::fs::read(&path).unwrap(), public.parse().unwrap())
}

fn age_opens(folder: &Path, sealed: &[u8], identity: &str) -> Vec<u8> {
    let mut age = Command::new(program("age").unwrap());
    output(age.arg("-d").arg("-i").arg(folder.join(identity)), sealed)
}

#[test]
fn what_we_seal_to_several_recipients_the_age_program_opens_with_each_of_them() {
    let (Some(_), Some(_)) = (program("age"), program("ssh-keygen")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (one, one_public) = age_identity(folder.path(), "one.txt");
    let (_, two_public) = age_identity(folder.path(), "two.txt");
    let (_, ssh_public) = ssh_identity(folder.path(), "id_ed25519", "");
    assert!(one.recipients()[0].same_key(&one_public), "we derive the public key that age derives");
    let sealed = seal::seal(PLAIN, &[one_public, two_public, ssh_public]).unwrap();
    for identity in ["one.txt", "two.txt", "id_ed25519"] {
        assert_eq!(age_opens(folder.path(), &sealed, identity), PLAIN, "{identity}");
    }
}

#[test]
fn what_the_age_program_seals_we_open_armoured_or_not_with_x25519_and_ssh_keys() {
    let (Some(age), Some(_)) = (program("age"), program("ssh-keygen")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (identity, public) = age_identity(folder.path(), "one.txt");
    let (ssh_file, ssh_public) = ssh_identity(folder.path(), "id_ed25519", "");
    let ssh = Identities::parse(&ssh_file, &mut nobody).unwrap();
    assert!(ssh.recipients()[0].same_key(&ssh_public), "the comment of an ssh key does not count");
    for armour in [&[][..], &["-a"]] {
        let mut command = Command::new(&age);
        command.args(armour).args(["-r", &public.to_string(), "-r", &ssh_public.to_string()]);
        let sealed = output(&mut command, PLAIN);
        assert_eq!(seal::open(&sealed, &identity).unwrap().as_slice(), PLAIN);
        assert_eq!(seal::open(&sealed, &ssh).unwrap().as_slice(), PLAIN);
        assert_eq!(seal::open(&sealed, &Identities::generate()).unwrap_err(), OpenError::WrongIdentity);
    }
}

#[test]
fn an_ssh_key_with_a_passphrase_opens_with_it_and_not_without() {
    let Some(_) = program("ssh-keygen") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (file, public) = ssh_identity(folder.path(), "id_ed25519", "right horse");
    let sealed = seal::seal(PLAIN, &[public]).unwrap();
    let answer = |text: &str| Some(Zeroizing::new(text.to_owned()));
    let unlocked = Identities::parse(&file, &mut || answer("right horse")).unwrap();
    assert_eq!(seal::open(&sealed, &unlocked).unwrap().as_slice(), PLAIN);
    let wrong = Identities::parse(&file, &mut || answer("wrong horse")).unwrap_err();
    assert!(matches!(wrong, InvalidIdentity::WrongPassphrase), "{wrong:?}");
    let silent = Identities::parse(&file, &mut nobody).unwrap_err();
    assert!(matches!(silent, InvalidIdentity::PassphraseNeeded), "{silent:?}");
}

/// `age -p` asks on a terminal only.
#[test]
fn an_identity_file_that_the_age_program_sealed_to_a_passphrase_opens_with_it() {
    let Some(age) = program("age") else { return };
    let env = TestEnv::new();
    let (_, public) = age_identity(&env.path(""), "plain.txt");
    let mut command = env.command(age);
    command.args(["-p", "-o"]).arg(env.path("locked.age")).arg(env.path("plain.txt"));
    let mut terminal = env.terminal_of(&command);
    for _ in 0..2 {
        terminal.expect("passphrase");
        terminal.type_line("right horse");
    }
    terminal.end();
    let file = std::fs::read(env.path("locked.age")).unwrap();
    let unlocked = Identities::parse(&file, &mut || Some(Zeroizing::new("right horse".to_owned()))).unwrap();
    assert!(unlocked.recipients()[0].same_key(&public));
    let silent = Identities::parse(&file, &mut nobody).unwrap_err();
    assert!(matches!(silent, InvalidIdentity::PassphraseNeeded), "{silent:?}");
}
