//! How backups are made, found, opened and compared.

use super::*;
use crate::secret::Secret;

fn snapshot(values: &[(&str, &str)]) -> Snapshot {
    let entry = |value: &str| Entry::of(Secret::new(value.to_owned()).unwrap());
    let entries = values.iter().map(|(address, value)| (address.parse().unwrap(), entry(value)));
    Snapshot { entries: entries.collect(), ..Snapshot::default() }
}

fn backup(values: &[(&str, &str)]) -> Document {
    let names = ("demo".parse().unwrap(), "local".parse().unwrap());
    document((&names.0, &names.1), &[Part::whole("vault", snapshot(values))], Timestamp::UNIX_EPOCH)
}

#[test]
fn a_backup_is_opened_before_it_has_its_name_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let (me, path) = (Identities::generate(), folder.path().join("b.age"));
    let made = backup(&[("app/A", "1")]);
    assert_eq!(write(&path, &made, &me.recipients(), Some(&me)).unwrap(), Proof::Opened);
    assert_eq!(read(&path, Some(&me)).unwrap().to_json(), made.to_json());
    assert!(matches!(read(&path, None), Err(BackupError::NoIdentity { .. })));
    let stranger = Identities::generate();
    let opened = read(&path, Some(&stranger)).unwrap_err();
    assert!(matches!(opened, BackupError::Open { source: OpenError::WrongIdentity, .. }));
}

#[test]
fn what_nobody_at_hand_can_open_is_written_and_said_to_be_unproven() {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, mine) = (Identities::generate(), Identities::generate());
    let made = backup(&[("app/A", "1")]);
    for (name, identities) in [("a.age", None), ("b.age", Some(&mine))] {
        let path = folder.path().join(name);
        assert_eq!(write(&path, &made, &theirs.recipients(), identities).unwrap(), Proof::Unopened);
        assert!(read(&path, Some(&theirs)).is_ok());
    }
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (me, path) = (Identities::generate(), folder.path().join("b.age"));
    std::fs::write(&path, "precious").unwrap();
    let error = write(&path, &backup(&[]), &me.recipients(), Some(&me)).unwrap_err();
    assert!(matches!(error, BackupError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_backup_is_found_by_the_beginning_of_its_name_and_tells_when_it_was_made() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["20260102-030405-aaaaaa.age", "20260102-030406-bbbbbb.age", "other.age", ".x.strongroom-tmp"]
    {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    let folders = [folder.path().to_owned(), folder.path().join("none")];
    let all = stored_in(&folders).unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].made.to_string(), "2026-01-02T03:04:05Z");
    assert_eq!(find(&folders, "20260102-030406").unwrap(), all[1].path);
    assert!(matches!(find(&folders, "2026"), Err(BackupError::Ambiguous(_))));
    assert!(matches!(find(&folders, "2027"), Err(BackupError::Unknown(_))));
    assert!(matches!(find(&folders, ""), Err(BackupError::Unknown(_))));
}

#[test]
fn each_address_is_the_same_or_differs_or_is_gone_or_came_later() {
    let document = backup(&[("app/A", "1"), ("app/B", "2"), ("app/C", "3")]);
    let home = snapshot(&[("app/A", "1"), ("app/B", "x"), ("app/D", "4")]);
    let standings: Vec<_> = compare(&document.sections[0], &home).into_values().collect();
    assert_eq!(standings, [Standing::Same, Standing::Differs, Standing::Gone, Standing::Later]);
}

#[test]
fn what_was_looked_at_and_absent_is_told_from_what_nobody_looked_at() {
    let names = ("demo".parse().unwrap(), "prod".parse().unwrap());
    let looked: Vec<Address> = ["app/A", "app/B", "app/C"].map(|text| text.parse().unwrap()).into();
    let part = Part::at("ssm", &looked, snapshot(&[("app/A", "1")]));
    let document = document((&names.0, &names.1), &[part], Timestamp::UNIX_EPOCH);
    let document = Document::from_json(&document.to_json()).unwrap();
    assert_eq!(count(&document), 1);
    let now = snapshot(&[("app/A", "1"), ("app/B", "2"), ("app/D", "4")]);
    let standings: Vec<_> = compare(&document.sections[0], &now).into_iter().collect();
    assert_eq!(standings, [(&looked[0], Standing::Same), (&looked[1], Standing::Later)]);
}

#[test]
fn a_backup_that_something_rests_on_is_kept_only_if_somebody_at_hand_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, mine) = (Identities::generate(), Identities::generate());
    let (made, path) = (backup(&[("app/A", "1")]), folder.path().join("b.age"));
    for identities in [None, Some(&mine)] {
        let refused = write_proven(&path, &made, &theirs.recipients(), identities);
        assert!(matches!(refused, Err(BackupError::Unproven)));
        assert!(matches!(provable(&theirs.recipients(), identities), Err(BackupError::Unproven)));
    }
    assert!(matches!(provable(&[], Some(&mine)), Err(BackupError::Seal(SealError::NoRecipient))));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    provable(&mine.recipients(), Some(&mine)).unwrap();
    write_proven(&path, &made, &mine.recipients(), Some(&mine)).unwrap();
    assert!(read(&path, Some(&mine)).is_ok());
}

#[test]
fn the_manifest_is_in_a_backup_and_is_none_of_its_values() {
    let names = ("demo".parse().unwrap(), "local".parse().unwrap());
    let text = || Secret::new("version = 1\n".to_owned()).unwrap();
    let parts = [Part::whole("vault", snapshot(&[("app/A", "1")])), Part::manifest(text())];
    let made = document((&names.0, &names.1), &parts, Timestamp::UNIX_EPOCH);
    assert_eq!((count(&made), sections(&made).count()), (1, 1));
    assert!(manifest(&made).is_some_and(|found| found.same_as(&text())));
    assert!(manifest(&backup(&[])).is_none());
}

#[test]
fn each_place_has_a_folder_of_its_own_that_the_system_can_name_too() {
    let names = ("demo".parse().unwrap(), "local".parse().unwrap());
    let of = |location| folder(Path::new("/state"), &names.0, &names.1, location);
    // `printf %s abc | sha256sum` begins so.
    assert_eq!(of("abc"), Path::new("/state/demo/local/backups-ba7816bf"));
    assert_ne!(of("vault /a/.strongroom/local.age"), of("vault /b/.strongroom/local.age"));
}

#[test]
fn an_operations_snapshot_is_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (me, path) = (Identities::generate(), folder.path().join("plan-1.age"));
    let document = Document { kind: Kind::Operation, ..backup(&[]) };
    write(&path, &document, &me.recipients(), Some(&me)).unwrap();
    assert!(matches!(read(&path, Some(&me)), Err(BackupError::OfOperation { .. })));
}
